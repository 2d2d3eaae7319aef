//! Values and layouts against bindings generated from Linux's headers.
//!
//! The bindings are those of the host's architecture, so what differs on arm64 is checked by the sizes in the code only.

use core::mem::size_of;
use linux_raw_sys::{auxvec, errno, general, ioctl, prctl};
use lsyscall_abi::{consts, Errno, OpenFlags, *};

#[test]
fn errno_values_are_linux_s() {
    for (ours, theirs) in [
        (Errno::EPERM, errno::EPERM),
        (Errno::ENOSYS, errno::ENOSYS),
        (Errno::ELOOP, errno::ELOOP),
        (Errno::EOVERFLOW, errno::EOVERFLOW),
        (Errno::EOPNOTSUPP, errno::EOPNOTSUPP),
        (Errno::ETIMEDOUT, errno::ETIMEDOUT),
        (Errno::EHWPOISON, errno::EHWPOISON),
    ] {
        assert_eq!(ours.raw() as u32, theirs);
    }
    for e in Errno::ALL {
        assert_eq!(Errno::from_raw(e.raw()), Some(*e));
        assert_eq!(Errno::from_result(e.to_result()), Some(*e));
        assert!(!e.text().is_empty());
    }
    assert_eq!(Errno::from_raw(0), None);
    assert_eq!(Errno::from_raw(41), None);
    assert_eq!(Errno::from_result(5), None);
    assert_eq!(Errno::from_result(i64::MIN), None);
    assert_eq!(
        Errno::ENOENT.to_string(),
        "ENOENT (No such file or directory)"
    );
}

#[test]
fn sizes_are_linux_s() {
    assert_eq!(
        size_of::<Timespec>(),
        size_of::<general::__kernel_timespec>()
    );
    assert_eq!(size_of::<Statx>(), size_of::<general::statx>());
    assert_eq!(size_of::<Statfs>(), size_of::<general::statfs64>());
    assert_eq!(size_of::<Rusage>(), size_of::<general::rusage>());
    assert_eq!(size_of::<Rlimit>(), size_of::<general::rlimit64>());
    assert_eq!(size_of::<Termios>(), size_of::<general::termios>());
    assert_eq!(size_of::<Termios2>(), size_of::<general::termios2>());
    assert_eq!(size_of::<Winsize>(), size_of::<general::winsize>());
    assert_eq!(size_of::<SigInfo>(), size_of::<general::siginfo>());
    assert_eq!(size_of::<StackT>(), size_of::<general::stack_t>());
    assert_eq!(
        size_of::<SigAction>(),
        size_of::<general::kernel_sigaction>()
    );
    assert_eq!(size_of::<PollFd>(), size_of::<general::pollfd>());
    assert_eq!(size_of::<CloneArgs>(), size_of::<general::clone_args>());
    assert_eq!(
        size_of::<RobustListHead>(),
        size_of::<general::robust_list_head>()
    );
    assert_eq!(size_of::<Flock>(), size_of::<general::flock>());
    assert_eq!(size_of::<OpenHow>(), size_of::<general::open_how>());
    assert_eq!(size_of::<Iovec>(), size_of::<general::iovec>());
}

#[test]
fn constants_are_linux_s() {
    assert_eq!(OpenFlags::CLOEXEC.bits(), general::O_CLOEXEC);
    assert_eq!(OpenFlags::NONBLOCK.bits(), general::O_NONBLOCK);
    assert_eq!(OpenFlags::PATH.bits(), general::O_PATH);
    assert_eq!(AtFlags::EMPTY_PATH.bits(), general::AT_EMPTY_PATH);
    assert_eq!(
        MapFlags::FIXED_NOREPLACE.bits(),
        general::MAP_FIXED_NOREPLACE
    );
    assert_eq!(
        CloneFlags::CHILD_CLEARTID.bits(),
        general::CLONE_CHILD_CLEARTID.into()
    );
    assert_eq!(WaitOptions::CONTINUED.bits(), general::WCONTINUED);
    assert_eq!(consts::fcntl::F_DUPFD_CLOEXEC, general::F_DUPFD_CLOEXEC);
    assert_eq!(consts::ioctl::TIOCGWINSZ, ioctl::TIOCGWINSZ);
    assert_eq!(consts::ioctl::TCGETS2, ioctl::TCGETS2);
    assert_eq!(consts::ioctl::TIOCGPTN, ioctl::TIOCGPTN);
    assert_eq!(consts::prctl::PR_SET_NAME, prctl::PR_SET_NAME);
    assert_eq!(consts::auxv::AT_RANDOM, auxvec::AT_RANDOM.into());
    assert_eq!(consts::rlimit::RLIMIT_RTTIME, general::RLIMIT_RTTIME);
    assert_eq!(cc::VEOL2 as u32, general::VEOL2);
    assert_eq!(lflag::ECHOKE, general::ECHOKE);
    assert_eq!(iflag::IUTF8, general::IUTF8);
    assert_eq!(consts::cap::CAP_CHECKPOINT_RESTORE, general::CAP_LAST_CAP);
    assert_eq!(signal::SIGSYS as u32, general::SIGSYS);
    assert_eq!(signal::SIGPWR as u32, general::SIGPWR);
}

#[test]
fn registers_are_cut_to_the_width_of_the_prototype() {
    assert_eq!(Fd::from_arg(0xffff_ff9c), Fd::CWD);
    assert_eq!(Fd::from_arg(0xdead_beef_0000_0003), Fd(3));
    assert_eq!(i64::from_arg(u64::MAX), -1);
    assert_eq!(OpenFlags::from_arg(0xffff_ffff_0008_0000).bits(), 0o2000000);
    assert!(OpenFlags::from_arg(0x8000_0000).has_unknown());
}

#[test]
fn user_addresses_do_not_overflow() {
    let array = UserArray::<Iovec>::new(u64::MAX - 16, usize::MAX);
    assert_eq!(array.bytes(), None);
    assert_eq!(array.at(0).map(|p| p.addr()), Some(u64::MAX - 16));
    assert_eq!(array.at(2), None);
    let slice = UserSlice::new(10, 5);
    assert_eq!(slice.skip(9), UserSlice::new(15, 0));
    assert_eq!(slice.truncated(3).len, 3);
}

#[test]
fn times_convert() {
    assert_eq!(
        Timespec::from_ns(1_500_000_000),
        Timespec {
            sec: 1,
            nsec: 500_000_000
        }
    );
    assert_eq!(Timespec { sec: 2, nsec: 3 }.to_ns(), Ok(2_000_000_003));
    assert_eq!(
        Timespec {
            sec: 0,
            nsec: 1_000_000_000
        }
        .to_ns(),
        Err(Errno::EINVAL)
    );
    assert_eq!(Timespec { sec: -1, nsec: 0 }.to_ns(), Err(Errno::EINVAL));
    assert_eq!(
        Timespec {
            sec: i64::MAX,
            nsec: 0
        }
        .to_ns(),
        Ok(u64::MAX)
    );
    assert_eq!(Timeval { sec: 1, usec: 2 }.to_ns(), Ok(1_000_002_000));
}

#[test]
fn wait_statuses_read_back() {
    assert_eq!(WaitStatus::exited(7).exit_code(), Some(7));
    assert_eq!(WaitStatus::exited(7).term_signal(), None);
    assert_eq!(WaitStatus::signaled(11, true).term_signal(), Some(11));
    assert_eq!(WaitStatus::signaled(11, true).raw, 139);
    assert_eq!(WaitStatus::stopped(20).stop_signal(), Some(20));
    assert_eq!(WaitStatus::stopped(20).term_signal(), None);
}

#[test]
fn directory_entries_are_aligned_and_fit() {
    let entry = Dirent64 {
        ino: 5,
        off: 1,
        kind: 8,
    };
    let mut buf = [0xaau8; 32];
    assert_eq!(entry.write(b"name", &mut buf), Some(24));
    assert_eq!(&buf[16..24], &[24, 0, 8, b'n', b'a', b'm', b'e', 0]);
    assert_eq!(entry.write(b"name", &mut buf[..23]), None);
    assert_eq!(entry.write(&[b'x'; 70_000], &mut [0; 80_000]), None);
}

#[test]
fn floating_point_records_are_found() {
    let mut sc = SigContext::default();
    assert_eq!(sc.fpsimd(), None);
    let fp = FpsimdContext {
        fpcr: 3,
        vregs: [7; 64],
        ..FpsimdContext::default()
    };
    sc.set_fpsimd(&fp);
    assert_eq!(sc.fpsimd().map(|f| (f.fpcr, f.vregs)), Some((3, [7; 64])));
    sc.reserved.fill(0xff);
    assert_eq!(sc.fpsimd(), None);
    sc.reserved[..8].copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(sc.fpsimd(), None);
}

#[test]
fn signals_have_names_bits_and_actions() {
    use lsyscall_abi::signal::{DefaultAction, SIGCHLD, SIGINT, SIGKILL};
    assert_eq!(Signal(SIGINT).name(), Some("SIGINT"));
    assert_eq!(Signal(SIGINT).bit(), 2);
    assert_eq!(Signal(0).bit() | Signal(65).bit() | Signal(-1).bit(), 0);
    assert_eq!(Signal(64).bit(), 1 << 63);
    assert_eq!(Signal(SIGCHLD).default_action(), DefaultAction::Ignore);
    assert_eq!(Signal(40).default_action(), DefaultAction::Terminate);
    assert!(SigSet::UNBLOCKABLE.contains(Signal(SIGKILL)));
    assert_eq!(SigSet(0b110).first(), Some(Signal(2)));
}
