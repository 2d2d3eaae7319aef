//! `docs/syscalls.md` is what the table says. `UPDATE_EXPECT=1 cargo test -p lsyscall-table --test page` writes it anew.

use lsyscall_table::{write_support, Format};

#[test]
fn the_support_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/syscalls.md");
    let mut page = String::new();
    write_support(&mut page, Format::Markdown).expect("a string takes everything");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &page).expect("docs can be written");
    }
    let old = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        old == page,
        "docs/syscalls.md is not what the table says; \
         `UPDATE_EXPECT=1 cargo test -p lsyscall-table --test page` writes it anew"
    );
}
