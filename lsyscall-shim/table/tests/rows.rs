//! What the build refuses: each mistake in the table is an error with its line.

#[allow(dead_code)]
#[path = "../build.rs"]
mod build_script;

fn refusal(text: &str) -> String {
    match build_script::parse(text) {
        Ok(rows) => panic!("{} rows were accepted", rows.len()),
        Err((line, why)) => format!("{line}: {why}"),
    }
}

#[test]
fn a_good_table_is_accepted() {
    let text = "# comment\n0 read FS fsmgr full : fd:Fd buf:BufOut(count) count:Size\n\ngap 1..3 # why\n4 sync FS fsmgr no :\n";
    assert_eq!(
        build_script::parse(text).ok().map(|rows| rows.len()),
        Some(2)
    );
}

#[test]
fn mistakes_are_named_with_their_line() {
    for (text, expected) in [
        (
            "0 read fsmgr full : fd:Fd\n",
            "1: five words come before the colon: number name CLASS component level",
        ),
        ("0 read FILES fsmgr full :\n", "1: unknown class `FILES`"),
        (
            "0 read FS diskmgr full :\n",
            "1: unknown component `diskmgr`",
        ),
        ("0 read FS fsmgr most :\n", "1: unknown level `most`"),
        (
            "0 read FS fsmgr full\n",
            "1: a row is `number name CLASS component level : arguments`",
        ),
        ("x read FS fsmgr full :\n", "1: `x` is not a number"),
        (
            "0 read FS fsmgr partial :\n",
            "1: a partial call needs a note that says what is missing",
        ),
        ("0 read FS fsmgr full : fd:File\n", "1: unknown type `File`"),
        ("0 read FS fsmgr full : fd\n", "1: `fd` is not `name:Type`"),
        (
            "0 read FS fsmgr full : b:BufOut(n)\n",
            "1: unknown length argument `n`",
        ),
        (
            "0 read FS fsmgr full : b:InArr(Iovec) n:Size\n",
            "1: `InArr(Iovec)` needs (structure,length)",
        ),
        (
            "0 read FS fsmgr full : b:In(Thing)\n",
            "1: unknown structure `Thing`",
        ),
        (
            "0 read FS fsmgr full : a:Fd a:Fd\n",
            "1: two arguments have one name",
        ),
        (
            "0 read FS fsmgr full : a:Int b:Int c:Int d:Int e:Int f:Int g:Int\n",
            "1: more than six arguments",
        ),
        (
            "0 read FS fsmgr full : -> Much\n",
            "1: unknown return type `Much`",
        ),
        (
            "0 a FS fsmgr no :\n2 b FS fsmgr no :\n",
            "2: number 1 was to come next, found 2..2",
        ),
        (
            "0 a FS fsmgr no :\n1 a FS fsmgr no :\n",
            "2: `a` stands in line 1 already",
        ),
        (
            "0 a FS fsmgr no :\ngap 3..1\n",
            "2: number 1 was to come next, found 3..1",
        ),
        ("# nothing\n", "0: 0 numbers do not fit a table of 512"),
        ("gap 0..512\n", "0: 513 numbers do not fit a table of 512"),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}
