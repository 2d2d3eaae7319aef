//! Time-outs without calling up: a deadline in a dataport, an event when it has passed.

use persona_component::{Dataport, Env, EnvError, Wake};

/// The alarm, and the offset between the clocks.
pub struct Alarm {
    port: Dataport,
    changed: Wake,
    clock: Option<Dataport>,
    set: u64,
}

impl Alarm {
    /// From the environment: dataport `alarm`, event `alarm_set`, and dataport `clock` if there is one.
    pub fn new(env: &Env) -> Result<Self, EnvError> {
        Ok(Alarm {
            port: env.dataport("alarm")?,
            changed: env.wake("alarm_set")?,
            clock: env.dataport("clock").ok(),
            set: 0,
        })
    }

    /// Nanoseconds to add to monotonic time for wall-clock time since 1970.
    pub fn realtime_offset(&self) -> u64 {
        self.clock.map_or(0, |port| port.load(0))
    }

    /// Ticks of the virtual counter in a second.
    pub fn frequency(&self) -> u64 {
        self.clock.map_or(0, |port| port.load(16))
    }

    /// Seconds by which International Atomic Time is ahead of wall-clock time.
    pub fn tai_seconds(&self) -> i64 {
        self.clock.map_or(0, |port| port.load(8) as i64)
    }

    /// The earliest deadline is now this one. The time manager is told if it is earlier than it knows.
    pub fn set(&mut self, deadline: Option<u64>) {
        let at = deadline.map_or(0, |at| at.max(1));
        if at == self.set {
            return;
        }
        let sooner = at != 0 && (self.set == 0 || at < self.set);
        self.set = at;
        self.port.store(0, at);
        if sooner {
            self.changed.signal();
        }
    }

    /// The alarm has fired: whatever is set next must be told.
    pub fn fired(&mut self) {
        self.set = 0;
        self.port.store(0, 0);
    }
}
