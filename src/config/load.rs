//! From layers to a snapshot: defaults, file, environment, arguments, each over the one before. The only file access of
//! the configuration is in [`load`].
//!
//! figment merges the layers; `raw.rs` reads the result. The defaults are those of the structures, because tables such as
//! `[listen.NAME]` have no fixed names. The file is read once, and its text is handed to figment and to `place.rs` alike
//! (`Toml::file` would look for it in parent directories, `Toml::file_exact` would pass over a missing one).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use crate::config::found::one_line;
use crate::config::place::{Key, Place, Places, key, key_from_text, position};
use crate::config::problem::Problem;
use crate::config::report::Report;
use crate::config::{
    Config, Snapshot, admin, backend, doctor, effective, journal, limits, listen, log, mail_data,
    policy, raw, resolver, store, tls,
};
use crate::smtp::domain::Domain;

/// What every variable begins with.
const PREFIX: &str = "GATEPOST_";
/// The variable that names the file: no key of it.
const FILE_VARIABLE: &str = "GATEPOST_CONFIG";

/// Everything a configuration is made of, as text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layers<'a> {
    /// The file's name, for messages, and its text.
    pub file: Option<(&'a Path, &'a str)>,
    /// Variables and their values; those without `GATEPOST_` are passed over.
    pub environment: &'a [(String, String)],
    /// Keys such as `listen.mx.address` and their values.
    pub arguments: &'a [(String, String)],
    /// What the system calls itself: the default of `hostname`.
    pub system_name: &'a str,
}

/// Reads the file, if one is named, the environment and the arguments.
///
/// # Errors
///
/// All problems that were found, in the order of their places.
pub fn load(file: Option<&Path>, arguments: &[(String, String)]) -> Result<Snapshot, Vec<Problem>> {
    let hint = "name the file with --config or GATEPOST_CONFIG";
    let text = file.map(|file| read(file, hint)).transpose()?;
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| {
            Some((
                name.into_string().ok()?,
                value.to_string_lossy().into_owned(),
            ))
        })
        .collect();
    let system_name = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
    from_layers(&Layers {
        file: file.zip(text.as_deref()),
        environment: &environment,
        arguments,
        system_name: &system_name.unwrap_or_default(),
    })
}

/// Reads a file; `hint` says what to do when it is not there.
pub(in crate::config) fn read(path: &Path, hint: &str) -> Result<String, Vec<Problem>> {
    let problem = |position, found: String, allowed: &str| {
        let source = Place::File(path.to_owned(), position);
        vec![Problem {
            source,
            key: String::new(),
            found,
            allowed: allowed.to_owned(),
            nearest: None,
        }]
    };
    let octets = std::fs::read(path).map_err(|error| {
        let found = format!("cannot be read: {}", one_line(&error.to_string()));
        let allowed = match error.kind() {
            ErrorKind::PermissionDenied => {
                "make it and its folders readable for the user that gatepost runs as"
            }
            ErrorKind::IsADirectory => "name a file, not a folder",
            _ => hint,
        };
        problem(None, found, allowed)
    })?;
    String::from_utf8(octets).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
        let found = "is not UTF-8 from here on".to_owned();
        problem(
            Some(position(&text, valid)),
            found,
            "write TOML, which is UTF-8",
        )
    })
}

/// The same from text alone: no file, no environment, no clock.
///
/// # Errors
///
/// All problems that were found, in the order of their places.
pub fn from_layers(layers: &Layers<'_>) -> Result<Snapshot, Vec<Problem>> {
    let environment = variables(layers.environment);
    let arguments: Vec<(Key, &str)> = layers
        .arguments
        .iter()
        .map(|(name, value)| (key_from_text(name), value.as_str()))
        .collect();
    let places = Places::new(
        layers.file,
        environment
            .iter()
            .map(|(key, variable, _)| (key.clone(), (*variable).to_owned()))
            .collect(),
        arguments.iter().map(|(key, _)| key.clone()).collect(),
    )
    .map_err(|(source, message)| vec![syntax(source, &message)])?;

    let mut figment = Figment::new();
    if let Some((_, text)) = layers.file {
        figment = figment.merge(Toml::string(text));
    }
    for (key, _, value) in &environment {
        figment = figment.merge(Layer::new("environment", key, value));
    }
    for (key, value) in &arguments {
        figment = figment.merge(Layer::new("argument", key, value));
    }
    let file = layers.file.map(|(path, _)| path.to_owned());
    let values = figment.find_value("").map_err(|error| {
        let source = file
            .clone()
            .map_or(Place::Default, |path| Place::File(path, None));
        vec![syntax(source, &error.kind.to_string())]
    })?;
    assemble(values, file, layers.system_name, &places)
}

pub(in crate::config) fn syntax(source: Place, message: &str) -> Problem {
    let (found, allowed) = (
        one_line(message),
        "write TOML: key = value, text in quotes".to_owned(),
    );
    Problem {
        source,
        key: String::new(),
        found,
        allowed,
        nearest: None,
    }
}

/// Our variables: key, name, value. `__` parts the key.
fn variables(environment: &[(String, String)]) -> Vec<(Key, &str, &str)> {
    let ours = environment.iter().filter(|(name, _)| name != FILE_VARIABLE);
    ours.filter_map(|(name, value)| {
        let rest = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
        Some((
            rest.split("__").map(str::to_owned).collect(),
            name.as_str(),
            value.as_str(),
        ))
    })
    .collect()
}

/// One value of the environment or of the arguments, as a layer.
struct Layer {
    name: &'static str,
    values: Dict,
}

impl Layer {
    fn new(name: &'static str, key: &[String], text: &str) -> Self {
        // Reading cannot fail: what is not a number, a truth value, a list or a table is text.
        let value: Value = text
            .parse()
            .unwrap_or_else(|never: std::convert::Infallible| match never {});
        let nested = key.iter().rev().fold(value, |value, part| {
            Value::from(Dict::from([(part.clone(), value)]))
        });
        Self {
            name,
            values: nested.into_dict().unwrap_or_default(),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

fn assemble(
    values: Value,
    source: Option<PathBuf>,
    system_name: &str,
    places: &Places<'_>,
) -> Result<Snapshot, Vec<Problem>> {
    let mut report = Report::new(places);
    let raw = raw::read(values, &mut report);
    let config = Config {
        hostname: hostname(raw.hostname.as_deref(), system_name, &mut report),
        user: user(raw.user, &mut report),
        listen: raw.listen,
        backend: raw.backend,
        tls: raw.tls,
        resolver: raw.resolver,
        mail_data: raw.mail_data,
        limits: raw.limits,
        store: raw.store,
        admin: raw.admin,
        doctor: raw.doctor,
        ident: raw.ident,
        journal: raw.journal,
        log: raw.log,
    };
    let backends: Vec<&str> = config.backend.keys().map(String::as_str).collect();
    listen::check(
        &config.listen,
        &policy::names(&raw.policy),
        &backends,
        &mut report,
    );
    backend::check(&config.backend, &config.listen, &mut report);
    tls::check(&config.tls, &mut report);
    resolver::check(&config.resolver, &mut report);
    let mut settings = policy::resolve(&raw.policy, &mut report);
    policy::own_names::fill(&mut settings, &config.hostname);
    let policies = policy::build::build(&settings, &raw.policy, &mut report);
    let listeners: Vec<&str> = config.listen.keys().map(String::as_str).collect();
    policy::build::check_listeners(&policies, &listeners, &mut report);
    limits::check(&config.limits, &mut report);
    store::check(&config.store, &mut report);
    mail_data::check(&config.mail_data, &mut report);
    admin::check(&config.admin, &mut report);
    doctor::check(&config.doctor, &mut report);
    journal::check(&config.journal, &mut report);
    log::check(&config.log, &mut report);
    let (problems, notes) = report.finish();
    if !problems.is_empty() {
        return Err(problems);
    }
    let effective = effective::settings(&config, &settings, places);
    let certificates = tls::places(&config.tls, places);
    Ok(Snapshot {
        config,
        policies,
        source,
        notes,
        effective,
        certificates,
    })
}

fn hostname(written: Option<&str>, system_name: &str, report: &mut Report<'_>) -> String {
    let at = key(&["hostname"]);
    let example = "write the name clients see, such as \"mx.example.com\"";
    let name = match written {
        Some(name) => name.to_owned(),
        None if Domain::parse(system_name, false).is_some() => system_name.to_owned(),
        None => {
            report.note(
                &at,
                "the system has no name that fits: \"localhost\" is used",
                example,
            );
            return "localhost".to_owned();
        }
    };
    if Domain::parse(&name, false).is_none() {
        let found = format!("{} is not a domain", crate::config::found::quoted(&name));
        report.complain(&at, found, example);
    } else if !name.contains('.') {
        report.note(&at, format!("\"{name}\" has no domain"), example);
    }
    name
}

fn user(written: Option<String>, report: &mut Report<'_>) -> String {
    let name = written.unwrap_or_else(|| "gatepost".to_owned());
    if name.trim().is_empty() || name.contains('\0') {
        let found = format!("{} is no user", crate::config::found::quoted(&name));
        let example = "write the name of one, such as \"gatepost\"; \"root\" if it really must be";
        report.complain(&key(&["user"]), found, example);
    }
    name
}
