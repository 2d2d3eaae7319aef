//! Prints which Linux system calls are supported: `support [text|markdown|json]`.

use std::process::ExitCode;

use lsyscall_table::{write_support, Format};

fn main() -> ExitCode {
    let format = match std::env::args().nth(1).as_deref() {
        None | Some("text") => Format::Text,
        Some("markdown") => Format::Markdown,
        Some("json") => Format::Json,
        Some(other) => {
            eprintln!("`{other}` is no format; there are text, markdown and json");
            return ExitCode::from(2);
        }
    };
    let mut page = String::new();
    if write_support(&mut page, format).is_err() {
        return ExitCode::FAILURE;
    }
    print!("{page}");
    ExitCode::SUCCESS
}
