//! Other components' deadlines.

use alloc::vec::Vec;

use persona_component::{Dataport, Env, Wake};

/// Prefix of the dataports' names; the rest names the component.
const DATAPORT: &str = "alarm.";
/// Prefix of the events' names.
const EVENT: &str = "alarm_fired.";

struct Alarm {
    /// Word 0: monotonic nanoseconds, 0 for none.
    port: Dataport,
    wake: Wake,
    /// The deadline that was signalled last: its owner may not have come to change it yet.
    fired: u64,
}

pub(crate) struct Alarms(Vec<Alarm>);

impl Alarms {
    /// Of every component that shares an alarm dataport and listens for the event.
    pub(crate) fn new(env: &Env) -> Alarms {
        let of = |name: &'static str| name.strip_prefix(DATAPORT);
        let alarms = env.dataports().filter_map(|(name, port)| {
            let owner = of(name)?;
            let wake = env
                .wakes()
                .find(|(event, _)| event.strip_prefix(EVENT) == Some(owner))?;
            Some(Alarm {
                port,
                wake: wake.1.clone(),
                fired: 0,
            })
        });
        Alarms(alarms.collect())
    }

    /// Some component has set its alarm, perhaps to what it was.
    pub(crate) fn changed(&mut self) {
        for alarm in &mut self.0 {
            alarm.fired = 0;
        }
    }

    /// Signals those whose time has come, once for each deadline.
    pub(crate) fn fire(&mut self, now: u64) {
        for alarm in &mut self.0 {
            let deadline = alarm.port.load(0);
            if deadline != 0 && deadline <= now && deadline != alarm.fired {
                alarm.fired = deadline;
                alarm.wake.signal();
            }
        }
    }

    /// Signals all: the deadlines of some may have moved.
    pub(crate) fn fire_all(&self) {
        for alarm in &self.0 {
            alarm.wake.signal();
        }
    }

    /// The first deadline that has not been signalled.
    pub(crate) fn next(&self) -> Option<u64> {
        let deadlines = self.0.iter().map(|a| (a.port.load(0), a.fired));
        deadlines
            .filter(|(deadline, fired)| *deadline != 0 && deadline != fired)
            .map(|(deadline, _)| deadline)
            .min()
    }
}
