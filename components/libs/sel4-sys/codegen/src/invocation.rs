//! Reads the interface XML: the invocations of each kind of object.

use roxmltree::Node;

use crate::{cpp, Defines};

/// A parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) out: bool,
    pub(crate) doc: String,
}

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    /// The C type of the capability invoked, such as `seL4_CNode`.
    pub(crate) interface: String,
    pub(crate) name: String,
    /// The label, such as `CNodeCopy`; the order of the methods is the order of the labels.
    pub(crate) id: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) brief: String,
}

/// The methods of one file that exist under this configuration, in the order of their labels.
pub(crate) fn parse(text: &str, defines: &Defines) -> Result<Vec<Method>, String> {
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let mut methods = Vec::new();
    for interface in document
        .descendants()
        .filter(|node| node.has_tag_name("interface"))
    {
        let interface_name = attribute(interface, "name")?;
        for method in interface
            .children()
            .filter(|node| node.has_tag_name("method"))
        {
            let condition = method.attribute("condition").unwrap_or("");
            if !condition.is_empty() && !cpp::condition(condition, defines)? {
                continue;
            }
            let parameters = method.children().filter(|node| node.has_tag_name("param"));
            methods.push(Method {
                interface: interface_name.clone(),
                name: attribute(method, "name")?,
                id: attribute(method, "id")?,
                parameters: parameters.map(parameter).collect::<Result<_, _>>()?,
                brief: method
                    .children()
                    .find(|node| node.has_tag_name("brief"))
                    .map(words)
                    .unwrap_or_default(),
            });
        }
    }
    Ok(methods)
}

fn parameter(node: Node<'_, '_>) -> Result<Parameter, String> {
    let out = match attribute(node, "dir")?.as_str() {
        "in" => false,
        "out" => true,
        other => return Err(format!("direction {other}")),
    };
    let inner = || {
        node.children()
            .find(|child| child.has_tag_name("description"))
            .map(words)
            .unwrap_or_default()
    };
    let doc = node.attribute("description").map_or_else(inner, squeeze);
    Ok(Parameter {
        name: attribute(node, "name")?,
        ty: attribute(node, "type")?,
        out,
        doc,
    })
}

fn attribute(node: Node<'_, '_>, name: &str) -> Result<String, String> {
    let value = node
        .attribute(name)
        .ok_or(format!("<{}> without {name}", node.tag_name().name()))?;
    Ok(value.to_string())
}

/// The text below `node` on one line. `<texttt text="x"/>` stands for its attribute.
fn words(node: Node<'_, '_>) -> String {
    let parts = node.descendants().map(|node| {
        node.text()
            .filter(|_| node.is_text())
            .or(node.attribute("text"))
    });
    squeeze(&parts.flatten().collect::<String>())
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
