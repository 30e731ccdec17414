//! `readMavenPom` and `readManifest`: files of Java's world as maps.

use std::rc::Rc;

use haliotis_model::{Object, Value as Json};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

/// Deepest nesting of elements; a POM has ten.
const MAX_DEPTH: usize = 64;

impl Run {
    /// The POM's elements by name: texts, maps, and lists where Maven has lists.
    pub(super) async fn read_pom(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let path = self.arg(given, "file")?.unwrap_or_else(|| "pom.xml".to_owned());
        let text = self.read_text(ctx, "readMavenPom", &path).await?;
        let model = pom(&text).map_err(|why| self.abort_exception(&format!("readMavenPom: {path}: {why}")))?;
        self.vm(|vm| values::from_json(vm, &model))
    }

    /// `main` and `entries`, each a map of texts.
    pub(super) async fn read_manifest(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let text = match (self.arg(given, "text")?, self.arg(given, "file")?) {
            (Some(text), _) => text,
            (None, Some(path)) => self.read_text(ctx, "readManifest", &path).await?,
            (None, None) => {
                let message = "At least one of file or text needs to be provided to readManifest.";
                return Err(self.throw("java.lang.IllegalArgumentException", message));
            }
        };
        let manifest = manifest(&text);
        self.vm(|vm| values::from_json(vm, &manifest))
    }
}

/// An element being read.
#[derive(Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<(String, Json)>,
}

impl Element {
    fn json(self) -> Json {
        if self.children.is_empty() {
            return match self.name.as_str() {
                "properties" => Json::Object(Object::new()),
                _ => self.text.trim().into(),
            };
        }
        // `<dependencies><dependency>…`: a list is called as its items in the plural.
        let item = |name: &str| {
            self.name.strip_suffix("ies").map(|stem| format!("{stem}y")).as_deref() == Some(name)
                || self.name.strip_suffix('s') == Some(name)
        };
        if self.children.iter().all(|(name, _)| item(name)) {
            return Json::Array(self.children.into_iter().map(|(_, value)| value).collect());
        }
        Json::Object(self.children.into_iter().collect())
    }
}

fn pom(text: &str) -> Result<Json, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        match reader.read_event().map_err(|error| format!("it is not XML: {error}"))? {
            Event::Start(start) => {
                if open.len() > MAX_DEPTH {
                    return Err(format!("it is nested more than {MAX_DEPTH} deep"));
                }
                let name = start.local_name().as_ref().to_owned();
                open.push(Element { name, ..Element::default() });
            }
            Event::Empty(empty) => {
                let name = empty.local_name().as_ref().to_owned();
                let value = Element { name: name.clone(), ..Element::default() }.json();
                if let Some(last) = open.last_mut() {
                    last.children.push((name, value));
                }
            }
            Event::End(_) => {
                let (Some(done), Some(last)) = (open.pop(), open.last_mut()) else {
                    return Err("it ends twice".into());
                };
                last.children.push((done.name.clone(), done.json()));
            }
            Event::Text(part) => {
                if let Some(last) = open.last_mut() {
                    last.text.push_str(&part.xml10_content());
                }
            }
            Event::GeneralRef(entity) => {
                let word = entity.to_string();
                let shown = match entity.resolve_char_ref().ok().flatten() {
                    Some(c) => c.to_string(),
                    None => match quick_xml::escape::resolve_predefined_entity(&word) {
                        Some(text) => text.to_owned(),
                        None => return Err(format!("the entity &{word}; is not known")),
                    },
                };
                if let Some(last) = open.last_mut() {
                    last.text.push_str(&shown);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let root = open.into_iter().next().unwrap_or_default();
    match root.children.into_iter().next() {
        Some((name, model)) if name == "project" => Ok(model),
        Some((name, _)) => Err(format!("its root is <{name}>, not <project>")),
        None => Err("it holds no element".to_owned()),
    }
}

fn manifest(text: &str) -> Json {
    // A line that begins with a space goes on with the line before.
    let text = text.replace("\r\n", "\n").replace("\n ", "");
    let (mut main, mut entries) = (Object::new(), Object::new());
    for (at, section) in text.split("\n\n").filter(|section| !section.trim().is_empty()).enumerate() {
        let pairs = section.lines().filter_map(|line| line.split_once(':'));
        let mut all: Object = pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().into())).collect();
        match all.remove("Name") {
            Some(Json::String(name)) if at > 0 => drop(entries.insert(name, all.into())),
            _ => main.extend(all),
        }
    }
    serde_json::json!({ "main": main, "entries": entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poms() {
        let model = pom(
            "<?xml version='1.0'?><project xmlns='http://maven.apache.org/POM/4.0.0'><!-- c --><artifactId>a &amp; b</artifactId>\
             <modules><module>x</module><module>y</module></modules><properties/><parent><version>1</version></parent>\
             <dependencies><dependency><groupId>g</groupId></dependency></dependencies></project>",
        );
        let wanted = serde_json::json!({"artifactId": "a & b", "modules": ["x", "y"], "properties": {},
            "parent": {"version": "1"}, "dependencies": [{"groupId": "g"}]});
        assert_eq!(model, Ok(wanted));
        for broken in ["", "<a/>", "<project><a></project>", "<project>&no;</project>"] {
            assert!(pom(broken).is_err(), "{broken}");
        }
    }
}
