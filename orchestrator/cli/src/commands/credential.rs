//! `haliotis credential add|list|remove`: what pipelines name by id. Values come from standard input or a variable, never
//! from the command line, where every process of the machine could read them.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};

use base64::Engine;
use clap::{Args, Subcommand};
use haliotis_model::bounds::{Bounds, Scope};
use haliotis_store::open_store;

use crate::app::credentials::AWS_ROLE;
use crate::app::users;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::show;

/// A secret longer than this is a file by mistake.
const LONGEST: u64 = 1 << 20;

/// Arguments of `credential`.
#[derive(Args)]
pub struct Credential {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Store a credential; its secret part is read from standard input, or from --from-env
    Add(Box<New>),
    /// List ids and kinds, never values
    List,
    /// Put all credentials under a new key and forget the old one
    Rotate,
    /// Remove a credential
    Remove {
        /// Its id
        id: String,
    },
}

/// A credential to be stored.
#[derive(Args)]
struct New {
    /// Its id, as pipelines name it
    id: String,
    /// text, username-password, aws, aws-role, ssh-key, certificate (PKCS#12) or file
    #[arg(long, default_value = "text")]
    kind: String,
    /// User name or access key id, for the kinds that have one; the alias of a certificate
    #[arg(long)]
    username: Option<String>,
    /// The ARN of an aws-role; nothing is read from standard input then
    #[arg(long)]
    role: Option<String>,
    /// The credential (AWS keys, another role) that takes the role; without it the server's own identity does
    #[arg(long, value_name = "ID", requires = "role")]
    source: Option<String>,
    /// What the role's owner wants to hear
    #[arg(long, requires = "role")]
    external_id: Option<String>,
    /// The variable that holds a certificate's password
    #[arg(long, value_name = "VARIABLE")]
    password_from_env: Option<String>,
    /// Who may use it: everywhere, system (the server itself), folder:NAME or pipeline:NAME
    #[arg(long, default_value = "everywhere")]
    scope: String,
    /// A host it may be sent to, as git.example, git.example:8443 or *.example; repeat for several
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// An environment whose builds get it, see `haliotis environment`; repeat for several
    #[arg(long = "environment", value_name = "NAME")]
    environments: Vec<String>,
    /// The variable that holds the secret part
    #[arg(long, value_name = "VARIABLE")]
    from_env: Option<String>,
    /// For people
    #[arg(long, default_value = "")]
    description: String,
}

/// Works on the data folder itself, beside a running server or without one.
pub async fn run(args: Credential, ctx: &Context) -> Outcome {
    let dir = ctx.data_dir();
    std::fs::create_dir_all(&dir)?;
    let store = open_store(ctx.database.as_deref(), &dir).await.map_err(|error| Failure::world(error.to_string()))?;
    match args.verb {
        Verb::Add(new) => {
            let New {
                id,
                kind,
                username,
                role,
                source,
                external_id,
                password_from_env,
                scope,
                hosts,
                environments,
                from_env,
                description,
            } = *new;
            let bounds = bounds(&scope, hosts, environments)?;
            let fields = match kind.as_str() {
                AWS_ROLE => role_fields(role, source, external_id)?,
                "certificate" => certificate(username, password_from_env.as_deref(), bytes(from_env.as_deref())?)?,
                _ => fields(&kind, username, bytes(from_env.as_deref())?)?,
            };
            let credential = haliotis_engine::Credential { id: id.clone(), kind, description, fields, bounds };
            store.put_credential(&credential).await?;
            users::note(store.as_ref(), &ctx.user, "credential.put", &format!("credential {id}"), "").await?;
            ctx.good(format!("credential {id} is stored; its value is not shown again"));
        }
        Verb::List => {
            let mut all = store.credentials().await?;
            for one in &mut all {
                // Bounds are sealed with the secret.
                one.bounds = store.credential(&one.id).await?.map(|open| open.bounds).unwrap_or_default();
            }
            if ctx.json {
                let rows = all.iter().map(|one| {
                    let (scope, hosts, environments) = (&one.bounds.scope, &one.bounds.hosts, &one.bounds.environments);
                    serde_json::json!({"id": one.id, "kind": one.kind, "description": one.description,
                        "scope": scope, "hosts": hosts, "environments": environments})
                });
                ctx.print_json(&rows.collect::<Vec<_>>());
                return Ok(());
            }
            let mut table = show::table(&["CREDENTIAL", "KIND", "FOR", "HOSTS", "ENVIRONMENTS", "DESCRIPTION"]);
            for one in all {
                let Bounds { scope, hosts, environments } = one.bounds;
                let row =
                    [one.id, one.kind, scope.to_string(), hosts.join(", "), environments.join(", "), one.description];
                table.add_row(row);
            }
            ctx.print(table.to_string());
        }
        Verb::Remove { id } => {
            if !store.remove_credential(&id).await? {
                return Err(Failure::not_found(format!("there is no credential `{id}`")));
            }
            users::note(store.as_ref(), &ctx.user, "credential.remove", &format!("credential {id}"), "").await?;
            ctx.good(format!("credential {id} is removed"));
        }
        Verb::Rotate => {
            let count = store.rotate_key().await?;
            users::note(store.as_ref(), &ctx.user, "credential.rotate", &format!("{count} credentials"), "").await?;
            ctx.good(format!("{count} credential(s) are sealed under a new key; the old one is forgotten"));
        }
    }
    Ok(())
}

fn bounds(scope: &str, hosts: Vec<String>, environments: Vec<String>) -> Result<Bounds, Failure> {
    let wrong =
        || Failure::usage(format!("`{scope}` is no scope; it is everywhere, system, folder:NAME or pipeline:NAME"));
    let scope = Scope::parse(scope).ok_or_else(wrong)?;
    if let Some(host) = hosts.iter().find(|host| host.is_empty() || host.contains(['/', '@', ' '])) {
        return Err(Failure::usage(format!("`{host}` is no host; give git.example, git.example:8443 or *.example")));
    }
    Ok(Bounds { scope, hosts, environments })
}

fn bytes(variable: Option<&str>) -> Result<Vec<u8>, Failure> {
    if let Some(variable) = variable {
        let missing = || Failure::usage(format!("the variable {variable} is not set"));
        return std::env::var(variable).map(String::into_bytes).map_err(|_| missing());
    }
    if std::io::stdin().is_terminal() {
        let term = console::Term::stderr();
        let read = term.write_str("Secret: ").and_then(|()| term.read_secure_line());
        return read
            .map(String::into_bytes)
            .map_err(|error| Failure::aborted(format!("no secret could be read: {error}")));
    }
    let mut bytes = Vec::new();
    std::io::stdin().take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a person typed or piped, without the last line's end.
fn text(bytes: Vec<u8>) -> Result<String, Failure> {
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Failure::usage("the secret is no text; store bytes as --kind file or certificate"))?;
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}

fn role_fields(
    role: Option<String>,
    source: Option<String>,
    external_id: Option<String>,
) -> Result<BTreeMap<String, String>, Failure> {
    let role = role.ok_or_else(|| Failure::usage("a credential of kind aws-role needs --role ARN"))?;
    let pairs = [("role", Some(role)), ("source", source), ("external-id", external_id)];
    Ok(pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn certificate(
    alias: Option<String>,
    password: Option<&str>,
    bytes: Vec<u8>,
) -> Result<BTreeMap<String, String>, Failure> {
    let password = match password {
        Some(name) => std::env::var(name).map_err(|_| Failure::usage(format!("the variable {name} is not set")))?,
        None => String::new(),
    };
    let pairs = [("keystore-base64", encoded(&bytes)), ("password", password), ("alias", alias.unwrap_or_default())];
    Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn encoded(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The fields each kind keeps; agent and scm read them by these names.
fn fields(kind: &str, username: Option<String>, secret: Vec<u8>) -> Result<BTreeMap<String, String>, Failure> {
    let need =
        || username.clone().ok_or_else(|| Failure::usage(format!("a credential of kind {kind} needs --username")));
    let pairs = match kind {
        "text" => vec![("text", text(secret)?)],
        "username-password" => vec![("username", need()?), ("password", text(secret)?)],
        "aws" => vec![("access-key-id", need()?), ("secret-access-key", text(secret)?)],
        "ssh-key" => vec![("key", text(secret)?)],
        "file" => match String::from_utf8(secret) {
            Ok(text) => vec![("content", text)],
            Err(bytes) => vec![("content-base64", encoded(bytes.as_bytes()))],
        },
        _ => {
            return Err(Failure::usage(format!(
                "`{kind}` is no kind of credential; it is text, username-password, aws, aws-role, ssh-key, certificate \
                 or file"
            )));
        }
    };
    Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_keep_the_fields_that_steps_read() {
        let names = |fields: BTreeMap<String, String>| fields.into_keys().collect::<Vec<_>>().join(" ");
        let of = |kind: &str, bytes: &[u8]| fields(kind, Some("ada".to_owned()), bytes.to_vec()).map(names);
        assert_eq!(of("aws", b"x\n").unwrap(), "access-key-id secret-access-key");
        assert_eq!(of("file", b"x").unwrap(), "content");
        assert_eq!(of("file", &[0xff, 0]).unwrap(), "content-base64");
        assert!(of("text", &[0xff]).is_err() && of("odd", b"x").is_err());
        let kept = certificate(None, None, vec![0, 1, 255]).unwrap();
        assert_eq!(kept["keystore-base64"], "AAH/");
        assert!(role_fields(None, None, None).is_err());
    }

    #[test]
    fn bounds_are_checked_before_anything_is_kept() {
        assert!(bounds("folder:team", vec!["*.example".to_owned()], vec![]).is_ok());
        assert!(bounds("team", vec![], vec![]).is_err());
        assert!(bounds("everywhere", vec!["https://git.example/".to_owned()], vec![]).is_err());
    }
}
