//! Tests of what needs no kernel: packing and decoding.

use crate::*;

#[test]
fn message_info_packs_as_the_kernel_has_it() {
    let info = MessageInfo::with_caps(0xabcde, 2, 5);
    assert_eq!(info.bits(), 0xabcde << 12 | 2 << 7 | 5);
    assert_eq!(
        (
            info.label(),
            info.extra_caps(),
            info.length(),
            info.caps_unwrapped()
        ),
        (0xabcde, 2, 5, 0)
    );
    // A length beyond the buffer, as a hostile sender might claim, is capped.
    assert_eq!(
        MessageInfo::from_bits(127).length(),
        MessageInfo::MAX_LENGTH
    );
}

#[test]
fn badge_and_guard_words() {
    assert_eq!(CapData::badge(0xfff_ffff).inner().words[0], 0xfff_ffff);
    let guard = CNodeCapData::new(0x3, 4).inner().words[0];
    assert_eq!(guard, 1 << 31 | 3 << 8 | 4 << 2);
    assert_eq!(CNodeCapData::new(0, 0).inner(), CapData::NONE.inner());
    assert_eq!(CNodeCapData::skip_high_bits(10), CNodeCapData::new(0, 54));
}

#[test]
fn rights() {
    assert_eq!(CapRights::ALL.inner().words[0], 7);
    assert_eq!(CapRights::READ_ONLY.inner().words[0], 2);
    assert_eq!(CapRights::WRITE_GRANT.inner().words[0], 5);
}

#[test]
fn faults_decode() {
    let words: [Word; 13] = core::array::from_fn(|index| 100 + index as Word);
    let Fault::UnknownSyscall(call) = Fault::from_words(2, &words) else {
        panic!("unknown syscall")
    };
    assert_eq!(call.x, core::array::from_fn(|index| 100 + index as Word));
    assert_eq!(
        (call.ip, call.sp, call.spsr, call.syscall),
        (108, 109, 111, 112)
    );
    assert!(call.x8.is_none_or(|x8| x8 == 110));

    let Fault::Vm(fault) = Fault::from_words(5, &[1, 2, 0, 0x9200_0047]) else {
        panic!("vm fault")
    };
    assert!(fault.is_write() && !fault.is_permission() && fault.address == 2);

    let Fault::Cap(fault) = Fault::from_words(1, &[1, 2, 1, 4, 10, 7, 3]) else {
        panic!("cap fault")
    };
    assert!(fault.in_recv_phase);
    assert_eq!(
        fault.failure,
        LookupFailure::GuardMismatch {
            bits_left: 10,
            guard_found: 7,
            bits_found: 3
        }
    );

    assert_eq!(Fault::from_words(0, &[]), Fault::Null);
    assert_eq!(Fault::from_words(77, &[]), Fault::Unknown(77));
    // A short message is read as zeros.
    assert!(matches!(
        Fault::from_words(3, &[9]),
        Fault::UserException(UserException { ip: 9, sp: 0, .. })
    ));
}

#[test]
fn registers_keep_their_order() {
    let words: [Word; UserContext::WORDS] = core::array::from_fn(|index| index as Word);
    let registers = UserContext::from_words(words);
    assert_eq!(
        (registers.pc, registers.sp, registers.spsr, registers.x0),
        (0, 1, 2, 3)
    );
    assert_eq!(registers.to_words(), words);
    assert_eq!(UserContext::NAMES[0], "pc");
}

#[test]
fn object_sizes() {
    assert_eq!(
        ObjectBlueprint::CNode { size_bits: 5 }.physical_size_bits(),
        10
    );
    assert_eq!(ObjectBlueprint::Granule.physical_size_bits(), 12);
    assert_eq!(
        ObjectBlueprint::Untyped { size_bits: 21 }.api_size_bits(),
        21
    );
}

#[test]
fn the_boot_info_and_buffer_layouts_are_the_kernels() {
    use core::mem::{offset_of, size_of};
    assert_eq!(size_of::<sys::seL4_IPCBuffer>(), 1024);
    assert_eq!(offset_of!(sys::seL4_BootInfo, initThreadDomain), 137);
    assert_eq!(offset_of!(sys::seL4_BootInfo, untypedList), 169);
    assert_eq!(size_of::<sys::seL4_UntypedDesc>(), 12);
}

#[test]
fn missing_paging_structures() {
    assert_eq!(
        PagingLevel::from_failed_lookup(21),
        Some(PagingLevel::PageTable)
    );
    assert_eq!(
        PagingLevel::from_failed_lookup(39),
        Some(PagingLevel::PageUpperDirectory)
    );
    assert_eq!(PagingLevel::from_failed_lookup(12), None);
}
