//! Tests over small pieces of the kernel's own notation.

use crate::cdecl::Headers;
use crate::{bitfield, cpp, invocation, stub, syscall, Config, Defines, Value};

fn defines(pairs: &[(&str, &str)]) -> Defines {
    pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

#[test]
fn preprocessor_follows_conditions() {
    let text = "#if defined(A) && !defined B // why\none\n#elif 1\ntwo\n#else\nthree\n#endif\n/* #error\n */ four \"//\"\n";
    let run = |pairs: &[(&str, &str)]| {
        cpp::run(text, &mut defines(pairs))
            .unwrap()
            .split_whitespace()
            .collect::<String>()
    };
    assert_eq!(run(&[("A", "")]), "onefour\"//\"");
    assert_eq!(run(&[("A", ""), ("B", "1")]), "twofour\"//\"");
}

#[test]
fn dead_branches_define_nothing() {
    let mut known = defines(&[]);
    cpp::run(
        "#ifdef X\n#define A 1\n#error no\n#else\n#define B (1 << 3)\n#define F(x) x\n#endif\n",
        &mut known,
    )
    .unwrap();
    assert_eq!(known, defines(&[("B", "(1 << 3)")]));
    assert!(cpp::run("#ifdef X\n", &mut known).is_err());
    assert!(cpp::run("#if B == 8\n#error seen\n#endif\n", &mut known)
        .unwrap_err()
        .contains("seen"));
}

#[test]
fn configuration_values() {
    let mut config = Config::default();
    config
        .read("#define CONFIG_A 1\n#define CONFIG_S \"x y\"\n#define OTHER 3\n")
        .unwrap();
    config.read("#ifndef CONFIG_A\n#define CONFIG_A 7\n#endif\n#ifndef CONFIG_N\n#define CONFIG_N 12\n#endif\n").unwrap();
    assert_eq!(config.get("CONFIG_A"), Some(&Value::Int(1)));
    assert_eq!(config.get("CONFIG_N"), Some(&Value::Int(12)));
    assert_eq!(config.get("CONFIG_S"), Some(&Value::Str("x y".into())));
    assert_eq!(config.iter().count(), 3);
}

const HEADER: &str = "
    typedef signed char seL4_Int8;
    typedef seL4_Word seL4_CPtr;
    enum { seL4_First = 2, seL4_Second, SEL4_FORCE_LONG_ENUM(pad), } seL4_Some_Msg;
    typedef enum _kind { seL4_A = seL4_Second, seL4_B, seL4_Last = BITS - 1 } seL4_Kind;
    static inline int f(void) { return g(1); }
    typedef struct seL4_R_ { seL4_Word pc, sp; seL4_Word x0; } seL4_R;
    typedef struct { seL4_Word *at; seL4_Uint8 list[seL4_B * 2]; } SEL4_PACKED seL4_P;
";

fn headers() -> Headers {
    let mut headers = Headers::default();
    headers.parse(HEADER, &defines(&[("BITS", "8")])).unwrap();
    headers
}

#[test]
fn enums_structs_and_aliases() {
    let headers = headers();
    assert_eq!(headers.value("seL4_Second"), Some(3));
    assert_eq!(headers.value("seL4_A"), Some(3));
    assert_eq!(headers.value("seL4_Last"), Some(7));
    assert_eq!(
        headers.aliases[0],
        ("seL4_Int8".into(), "signed char".into())
    );
    let [words, packed] = headers.structs.as_slice() else {
        panic!("two structs")
    };
    assert_eq!(
        words
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect::<Vec<_>>(),
        ["pc", "sp", "x0"]
    );
    assert!(packed.packed && packed.fields[0].pointer);
    assert_eq!(packed.fields[1].array, Some(8));
}

#[test]
fn macros_that_are_integers_become_constants() {
    let mut headers = headers();
    headers.take_defines(&defines(&[
        ("seL4_Bits", "(LIBSEL4_BIT(seL4_First) - 1)"),
        ("seL4_Call", "f(0)"),
    ]));
    assert_eq!(headers.value("seL4_Bits"), Some(3));
    assert_eq!(headers.value("seL4_Call"), None);
}

#[test]
fn bit_fields_count_from_the_top() {
    let mut file = bitfield::File::default();
    file.parse("base 64 block B { padding 32 field label 20 field caps 3 field extra 2 field length 7 } tagged_union U t { tag B 4 }")
        .unwrap();
    let offsets: Vec<_> = file.blocks[0]
        .fields
        .iter()
        .map(|field| (field.offset, field.bits))
        .collect();
    assert_eq!(offsets, [(12, 20), (9, 3), (7, 2), (0, 7)]);
    assert_eq!(file.unions[0].members, [("B".to_string(), 4)]);
    assert!(file.parse("block C { field a 63 }").is_err());
    assert!(file
        .parse("block C { padding 63 field a 2 padding 63 }")
        .is_err());
}

#[test]
fn system_calls_are_numbered_downwards() {
    let xml = r#"<syscalls><api><config><syscall name="Call"/><syscall name="Send"/></config></api>
        <debug><config condition="defined CONFIG_OFF"><syscall name="No"/></config>
        <config condition="defined CONFIG_ON"><syscall name="Put"/></config></debug></syscalls>"#;
    let calls = syscall::parse(xml, &defines(&[("CONFIG_ON", "1")])).unwrap();
    assert_eq!(
        calls,
        [
            ("Call".to_string(), -1),
            ("Send".to_string(), -2),
            ("Put".to_string(), -3)
        ]
    );
}

const INTERFACE: &str = r#"<api><interface name="seL4_CPtr">
    <method id="Gone" name="Gone" condition="defined(CONFIG_OFF)"/>
    <method id="Do" name="Do"><brief>Does <texttt text="it"/></brief>
        <param dir="in" name="flag" type="seL4_Bool"/>
        <param dir="in" name="byte" type="seL4_Uint8"/>
        <param dir="in" name="root" type="seL4_CPtr" description="a root"/>
        <param dir="in" name="number" type="int"/>
        <param dir="in" name="type" type="seL4_Word"/>
        <param dir="in" name="regs" type="seL4_R"/>
        <param dir="out" name="first" type="seL4_Word"/>
        <param dir="out" name="regs_out" type="seL4_R"/>
    </method></interface></api>"#;

#[test]
fn stubs_pack_as_the_kernels_generator_does() {
    let methods = invocation::parse(INTERFACE, &defines(&[])).unwrap();
    assert_eq!(methods.len(), 1);
    let mut out = String::new();
    stub::write(
        &mut out,
        &methods[0],
        &headers(),
        &bitfield::File::default(),
    )
    .unwrap();
    for line in [
        "/// Does it.",
        "/// - `root`: a root",
        "flag: bool, byte: seL4_Uint8, root: seL4_CPtr, number: i32, r#type: seL4_Word, regs: &seL4_R)",
        "Result<(seL4_Word, seL4_R), seL4_Error>",
        "seL4_SetCap(0, root);",
        "seL4_SetMR(4, regs.x0);",
        "seL4_MessageInfo_t::new(invocation_label::Do, 0, 1, 5)",
        "[seL4_Word::from(flag) | (seL4_Word::from(byte) << 8) | (seL4_Word::from(number as u32) << 32), r#type, regs.pc, regs.sp]",
        "Ok((mrs[0], seL4_R { pc: mrs[1], sp: mrs[2], x0: mrs[3] }))",
    ] {
        assert!(out.contains(line), "{line}\nis not in\n{out}");
    }
}

#[test]
fn unknown_types_are_errors() {
    let xml = INTERFACE.replace("\"seL4_R\"", "\"seL4_Q\"");
    let methods = invocation::parse(&xml, &defines(&[])).unwrap();
    let error = stub::write(
        &mut String::new(),
        &methods[0],
        &headers(),
        &bitfield::File::default(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the kernel tree defines no type seL4_Q (a parameter of seL4_CPtr_Do)"
    );
}

#[test]
fn a_missing_prefix_is_explained() {
    let error = crate::Prefix::new("/nonexistent").unwrap_err().to_string();
    assert!(
        error.starts_with("/nonexistent holds no libsel4; SEL4_PREFIX must name"),
        "{error}"
    );
}
