//! Credential stores: of the system and of folders. A secret goes in and never comes out.
//!
//! A credential is kept twice: its fields in the catalogue, where steps find them by id, and its XML without the secrets
//! ([`XML`]), which is what clients are given. An id is one credential on the whole server, whichever store it is in.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use haliotis_engine::Credential;
use haliotis_model::bounds::Scope;

use super::bean::{Bean, Data, list};
use super::call::{Call, bad, lenient, redirect};
use super::items::{self, Item};
use super::want::{ALWAYS, TOP, Want};
use super::xml::{self, Element};
use crate::api::audit;
use crate::error::Failed;

/// Documents: XML of a credential without its secrets, by its folder, `//`, its id.
const XML: &str = "jenkins-credential";
/// What stands for a secret, as in Jenkins.
const REDACTED: &str = "secret-redacted";
/// Elements that hold secrets.
const SECRETS: [&str; 9] = [
    "password",
    "secret",
    "privateKey",
    "passphrase",
    "secretKey",
    "secretBytes",
    "accessToken",
    "content",
    "uploadedKeystoreBytes",
];
/// Fields of bytes: what Jenkins sends is base64, also over several lines.
const BYTES: [&str; 2] = ["content-base64", "keystore-base64"];

fn key(item: &Item, id: &str) -> String {
    format!("{}//{id}", item.full_name())
}

/// The store must be the item's: `system` of the root, `folder` of a folder; the one domain is `_`.
fn check(item: &Item, store: &str, domain: &str) -> Result<(), Failed> {
    let fits = match item {
        Item::Root => store == "system",
        Item::Folder(_) => store == "folder",
        Item::Job(_) => false,
    };
    if fits && domain == "_" {
        return Ok(());
    }
    Err(Failed::not_found(format!("there is no store {store} with a domain {domain} here")))
}

/// What a credential's XML says.
struct Read {
    id: String,
    kind: &'static str,
    description: String,
    fields: BTreeMap<String, String>,
    /// Jenkins' scope `SYSTEM`: for the server itself, for no job.
    system: bool,
    redacted: String,
}

fn read(text: &str, known: Option<&Credential>) -> Result<Read, Failed> {
    let root = xml::parse(text).map_err(|problem| bad(format!("this XML cannot be used: {problem}")))?;
    let class = root.class().rsplit('.').next().unwrap_or("");
    let (kind, wanted): (_, &[(&str, &str)]) = match class {
        "UsernamePasswordCredentialsImpl" => {
            ("username-password", &[("username", "username"), ("password", "password")])
        }
        "StringCredentialsImpl" => ("text", &[("text", "secret")]),
        "BasicSSHUserPrivateKey" => (
            "ssh-key",
            &[("username", "username"), ("key", "privateKeySource/privateKey"), ("passphrase", "passphrase")],
        ),
        "AWSCredentialsImpl" if root.text_at("accessKey").is_empty() && !root.text_at("iamRoleArn").is_empty() => {
            ("aws-role", &[("role", "iamRoleArn"), ("external-id", "iamExternalId")])
        }
        "AWSCredentialsImpl" => ("aws", &[("access-key-id", "accessKey"), ("secret-access-key", "secretKey")]),
        "FileCredentialsImpl" => ("file", &[("content-base64", "secretBytes")]),
        "CertificateCredentialsImpl" => {
            ("certificate", &[("keystore-base64", "keyStoreSource/uploadedKeystoreBytes"), ("password", "password")])
        }
        other => return Err(bad(format!("a credential of the class {other} is not provided"))),
    };
    let id = root.text_at("id").trim().to_owned();
    if id.is_empty() || id.len() > 200 || id.chars().any(|c| c.is_control() || c == '/') {
        return Err(bad("a credential needs an <id> of plain characters"));
    }
    let mut fields = BTreeMap::new();
    for (field, path) in wanted {
        let Some(element) = root.at(path) else { continue };
        // What was given out as redacted comes back as redacted: it means what is kept.
        let value = if element.child(REDACTED).is_some() {
            known.and_then(|known| known.fields.get(*field)).cloned().unwrap_or_default()
        } else {
            element.text.clone()
        };
        let value = match BYTES.contains(field) {
            true => plain_base64(&value)?,
            false => value,
        };
        if !value.is_empty() {
            fields.insert((*field).to_owned(), value);
        }
    }
    let system = root.text_at("scope").trim() == "SYSTEM";
    let redacted = redact(text, &root);
    Ok(Read { id, kind, description: root.text_at("description").to_owned(), fields, system, redacted })
}

/// Base64 without white space. Jenkins writes `{…}` around what it encrypted under a key of its own: nobody here has it.
fn plain_base64(text: &str) -> Result<String, Failed> {
    use base64::Engine;
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    match base64::engine::general_purpose::STANDARD.decode(&text) {
        Ok(_) => Ok(text),
        Err(_) if text.starts_with('{') => {
            Err(bad("its bytes are encrypted under the key of another Jenkins; send them as plain base64"))
        }
        Err(_) => Err(bad("its bytes are no base64")),
    }
}

/// The text with nothing in the elements that hold secrets.
fn redact(text: &str, root: &Element) -> String {
    let mut found = Vec::new();
    for name in SECRETS {
        root.find_all(name, &mut found);
    }
    xml::with_inner(text, &found, &format!("<{REDACTED}/>"))
}

/// `createCredentials`: XML, or the form field `json` of Jenkins' page.
pub(crate) async fn create(call: &Call, item: &Item, store: &str, domain: &str) -> Result<Response, Failed> {
    check(item, store, domain)?;
    let by = call.by()?;
    let text = match call.form.get("json") {
        Some(json) => from_json(json)?,
        None => call.text()?.to_owned(),
    };
    let read = read(&text, None)?;
    let _alone = call.state.own.jenkins.changes.lock().await;
    if call.state.catalog.credential(&read.id).await?.is_some() {
        let message = format!("a credential {} is there already", read.id);
        return Err(Failed::new(StatusCode::CONFLICT, "conflict", message, "Change it, or choose another id."));
    }
    keep(call, item, read, None, &by, "credential.create").await?;
    Ok(StatusCode::OK.into_response())
}

async fn keep(
    call: &Call,
    item: &Item,
    read: Read,
    known: Option<Credential>,
    by: &str,
    action: &str,
) -> Result<(), Failed> {
    let (subject, redacted) = (key(item, &read.id), read.redacted);
    // Hosts and environments are no words of this XML: they stay as they were.
    let mut bounds = known.map(|known| known.bounds).unwrap_or_default();
    bounds.scope = match item {
        Item::Folder(folder) => Scope::Folder(folder.clone()),
        _ if read.system => Scope::System,
        _ => match bounds.scope {
            Scope::System | Scope::Folder(_) => Scope::Everywhere,
            other => other,
        },
    };
    let (kind, description, fields) = (read.kind.to_owned(), read.description, read.fields);
    let credential = Credential { id: read.id, kind, description, fields, bounds };
    call.state.catalog.put_credential(&credential).await?;
    call.state.catalog.put_document(XML, &subject, &redacted).await?;
    audit(&call.state, by, action, &subject, "").await
}

/// The form of Jenkins' page as the XML it means.
fn from_json(json: &str) -> Result<String, Failed> {
    let form: serde_json::Value = lenient(json)?;
    let fields = form
        .get("credentials")
        .and_then(|given| given.as_object())
        .ok_or_else(|| bad("`json` holds no credentials"))?;
    let class = ["stapler-class", "$class"].into_iter().find_map(|name| fields.get(name)?.as_str()).unwrap_or("");
    if class.is_empty() || !class.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$')) {
        return Err(bad("the credentials name no class"));
    }
    let mut text = format!("<{class}>");
    for (name, value) in fields {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric());
        match value {
            serde_json::Value::String(value) if plain => {
                text.push_str(&format!("<{name}>{}</{name}>", xml::escape(value)))
            }
            serde_json::Value::Object(inner) if name == "privateKeySource" => {
                let key = inner.get("privateKey").and_then(|key| key.as_str()).unwrap_or("");
                text.push_str(&format!("<{name}><privateKey>{}</privateKey></{name}>", xml::escape(key)));
            }
            _ => {}
        }
    }
    text.push_str(&format!("</{class}>"));
    Ok(text)
}

async fn find(call: &Call, item: &Item, id: &str) -> Result<String, Failed> {
    let none = || Failed::not_found(format!("there is no credential {id:?} here"));
    if let Some(text) = call.state.catalog.document(XML, &key(item, id)).await? {
        return Ok(text);
    }
    // What was stored by other ways is in the system's store.
    let known = if *item == Item::Root { call.state.catalog.credential(id).await? } else { None };
    known.map(|known| outline(&known)).ok_or_else(none)
}

/// XML of a credential that was not stored through this API.
fn outline(known: &Credential) -> String {
    let (class, inner) = match known.kind.as_str() {
        "username-password" => (
            "com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl",
            format!("<username>{}</username><password><{REDACTED}/></password>", username(known)),
        ),
        "ssh-key" => (
            "com.cloudbees.jenkins.plugins.sshcredentials.impl.BasicSSHUserPrivateKey",
            format!(
                "<username>{}</username><privateKeySource><privateKey><{REDACTED}/></privateKey></privateKeySource>",
                username(known)
            ),
        ),
        "aws" => (
            "com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl",
            format!("<secretKey><{REDACTED}/></secretKey>"),
        ),
        "aws-role" => ("com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl", String::new()),
        "file" => (
            "org.jenkinsci.plugins.plaincredentials.impl.FileCredentialsImpl",
            format!("<secretBytes><{REDACTED}/></secretBytes>"),
        ),
        "certificate" => (
            "com.cloudbees.plugins.credentials.impl.CertificateCredentialsImpl",
            format!("<password><{REDACTED}/></password>"),
        ),
        _ => (
            "org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl",
            format!("<secret><{REDACTED}/></secret>"),
        ),
    };
    format!(
        "<{class}><scope>GLOBAL</scope><id>{}</id><description>{}</description>{inner}</{class}>",
        xml::escape(&known.id),
        xml::escape(&known.description)
    )
}

fn username(known: &Credential) -> String {
    xml::escape(known.fields.get("username").map_or("", String::as_str))
}

/// `credential/ID/config.xml`.
pub(crate) async fn show_config(call: &Call, item: &Item, id: &str) -> Result<Response, Failed> {
    let text = find(call, item, id).await?;
    Ok(([(header::CONTENT_TYPE, "application/xml")], text).into_response())
}

/// `POST credential/ID/config.xml`.
pub(crate) async fn change(call: &Call, item: &Item, id: &str) -> Result<Response, Failed> {
    let by = call.by()?;
    let _alone = call.state.own.jenkins.changes.lock().await;
    find(call, item, id).await?;
    let known = call.state.catalog.credential(id).await?;
    let read = read(call.text()?, known.as_ref())?;
    if read.id != id {
        return Err(bad(format!("the XML is of {}, the address of {id}", read.id)));
    }
    keep(call, item, read, known, &by, "credential.change").await?;
    Ok(StatusCode::OK.into_response())
}

/// `credential/ID/doDelete`, or DELETE of its config.xml.
pub(crate) async fn delete(call: &Call, item: &Item, id: &str) -> Result<Response, Failed> {
    let by = call.by()?;
    find(call, item, id).await?;
    call.state.catalog.remove_credential(id).await?;
    call.state.catalog.remove_document(XML, &key(item, id)).await?;
    audit(&call.state, &by, "credential.remove", &key(item, id), "").await?;
    if call.method == axum::http::Method::DELETE {
        return Ok(StatusCode::OK.into_response());
    }
    let at = if *item == Item::Root { "system" } else { "folder" };
    Ok(redirect(&call.url(&format!("{}credentials/store/{at}/domain/_/", items::path(item.full_name())))))
}

/// A store: its domains by name, of which there is one.
pub(crate) async fn store(call: &Call, item: &Item, store: &str, want: &Want) -> Result<Data, Failed> {
    check(item, store, "_")?;
    let mut bean = Bean::new("com.cloudbees.plugins.credentials.CredentialsStoreAction", want);
    if let Some(want) = bean.wants("domains", TOP) {
        let one = domain(call, item, store, "_", &want).await?;
        bean.set("domains", Data::Object(super::bean::Object { class: "".into(), fields: vec![("_".into(), one)] }));
    }
    Ok(bean.done())
}

/// A store's one domain with its credentials.
pub(crate) async fn domain(call: &Call, item: &Item, store: &str, domain: &str, want: &Want) -> Result<Data, Failed> {
    check(item, store, domain)?;
    let documents = call.state.catalog.documents(XML).await?;
    let prefix = key(item, "");
    let mut all: BTreeMap<String, String> = documents
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix(&prefix)?.to_owned(), text.clone())))
        .collect();
    if *item == Item::Root {
        let elsewhere =
            |id: &str| documents.iter().any(|(name, _)| name.rsplit_once("//").is_some_and(|(_, of)| of == id));
        for known in call.state.catalog.credentials().await? {
            if !elsewhere(&known.id) {
                all.insert(known.id.clone(), outline(&known));
            }
        }
    }
    let mut bean = Bean::new("com.cloudbees.plugins.credentials.CredentialsStoreAction$DomainWrapper", want);
    bean.make("credentials", TOP, |want| list(want, &all, |(id, text)| one(id, text, want)));
    bean.put("description", "Credentials that should be available irrespective of domain specification.");
    bean.put("displayName", "Global credentials (unrestricted)");
    bean.put(
        "fullDisplayName",
        format!("{} » Global credentials (unrestricted)", super::job::display(item.full_name())),
    );
    bean.put("fullName", format!("{store}/{}/_", item.full_name()));
    bean.put("global", true);
    bean.put("urlName", "_");
    Ok(bean.done())
}

/// `credential/ID`.
pub(crate) async fn bean(call: &Call, item: &Item, id: &str, want: &Want) -> Result<Data, Failed> {
    let text = find(call, item, id).await?;
    Ok(one(id, &text, want))
}

fn one(id: &str, text: &str, want: &Want) -> Data {
    let root = xml::parse(text).unwrap_or_default();
    let (name, kind) = match root.class().rsplit('.').next().unwrap_or("") {
        "UsernamePasswordCredentialsImpl" => (format!("{}/******", root.text_at("username")), "Username with password"),
        "BasicSSHUserPrivateKey" => (root.text_at("username").to_owned(), "SSH Username with private key"),
        "AWSCredentialsImpl" => (root.text_at("accessKey").to_owned(), "AWS Credentials"),
        "FileCredentialsImpl" => (root.text_at("fileName").to_owned(), "Secret file"),
        "CertificateCredentialsImpl" => (id.to_owned(), "Certificate"),
        _ => (id.to_owned(), "Secret text"),
    };
    let description = root.text_at("description");
    let shown = if description.is_empty() { name } else { format!("{name} ({description})") };
    let mut bean = Bean::new("com.cloudbees.plugins.credentials.CredentialsStoreAction$CredentialsWrapper", want);
    bean.put("description", description);
    bean.put("displayName", shown);
    bean.put("fingerprint", Data::Null);
    bean.put("fullName", format!("_/{id}"));
    bean.put_at(ALWAYS, "id", id);
    bean.put("typeName", kind);
    bean.done()
}
