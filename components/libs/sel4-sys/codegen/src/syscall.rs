//! Reads the list of system calls.

use crate::{cpp, Defines};

/// Names and numbers of the system calls this configuration has, in the order of the numbers (-1 downwards).
pub(crate) fn parse(text: &str, defines: &Defines) -> Result<Vec<(String, i64)>, String> {
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let mut calls = Vec::new();
    for group in ["api", "debug"] {
        let Some(group) = document.descendants().find(|node| node.has_tag_name(group)) else {
            continue;
        };
        for config in group.children().filter(|node| node.has_tag_name("config")) {
            let condition = config.attribute("condition").unwrap_or("");
            if !condition.is_empty() && !cpp::condition(condition, defines)? {
                continue;
            }
            for call in config
                .children()
                .filter(|node| node.has_tag_name("syscall"))
            {
                let name = call.attribute("name").ok_or("syscall without a name")?;
                calls.push((name.to_string(), -1 - calls.len() as i64));
            }
        }
    }
    if calls.is_empty() {
        return Err("no system calls".into());
    }
    Ok(calls)
}
