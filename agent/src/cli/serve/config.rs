//! Where the options of `serve` come from: the command line, else the environment, else a TOML file.
//!
//! All have the same names: `workers = 4`, `MIRRORSCOPE_SERVE_WORKERS=4` and `--workers 4`. What the file and the
//! environment say is put into words of the command line, so that one parser judges them all. A list of one place
//! takes the place of the others' list.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::{
    Arg, ArgAction, Command,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::failure::Failure;

const PREFIX: &str = "MIRRORSCOPE_SERVE_";
/// What the file calls the words behind the options.
const FILTER: &str = "filter";
/// Options that mean nothing in a file.
const NOT_OPTIONS: [&str; 4] = ["config", "check", "help", "version"];

/// All options in words of the command line, those of `words` last.
pub(super) fn gather(
    command: &Command,
    words: &[OsString],
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<OsString>, Failure> {
    let said = said(command, words);
    let mut from_environment = self::environment(command, environment)?;
    from_environment.retain(|option| !said.iter().any(|said| excludes(command, said, &option.key)));
    let file = path(command, words).or_else(|| {
        let option = from_environment.iter().find(|option| option.key == "config")?;
        option.value.clone()
    });
    let mut options = match file {
        Some(file) => read(command, Path::new(&file))?,
        None => Vec::new(),
    };
    options.retain(|option| {
        let mut stronger = said.iter().chain(from_environment.iter().map(|other| &other.key));
        !stronger.any(|stronger| excludes(command, stronger, &option.key))
    });
    let gathered = options.into_iter().chain(from_environment).flat_map(|option| option.words);
    Ok(gathered.chain(words.iter().cloned()).collect())
}

/// Whether an option that is said leaves no room for another one: the same, or one that cannot stand beside it.
fn excludes(command: &Command, said: &str, other: &str) -> bool {
    let conflicts = |one: &str, with: &str| {
        let conflicts = find(command, one).map(|arg| command.get_arg_conflicts_with(arg));
        conflicts.is_some_and(|args| args.into_iter().any(|arg| name(arg) == with))
    };
    said == other || conflicts(said, other) || conflicts(other, said)
}

/// One option in words of the command line.
#[derive(Debug)]
struct Setting {
    key: String,
    words: Vec<OsString>,
    value: Option<OsString>,
}

/// What the options of the command line are called in a file.
fn said(command: &Command, words: &[OsString]) -> HashSet<String> {
    let Some(matches) = matches(command, words) else { return HashSet::new() };
    let is_said = |arg: &&Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    command.get_arguments().filter(is_said).map(name).collect()
}

fn path(command: &Command, words: &[OsString]) -> Option<OsString> {
    matches(command, words)?.get_raw("config")?.next().map(OsStr::to_owned)
}

/// `None` where the words are wrong, which the last parse will tell.
fn matches(command: &Command, words: &[OsString]) -> Option<clap::ArgMatches> {
    let words = std::iter::once(OsString::from("serve")).chain(words.iter().cloned());
    command.clone().try_get_matches_from(words).ok()
}

fn name(arg: &Arg) -> String {
    arg.get_long().unwrap_or(FILTER).to_owned()
}

fn environment(
    command: &Command,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<Setting>, Failure> {
    let mut options = Vec::new();
    for (variable, value) in variables {
        let Some(key) = variable.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let key = key.to_ascii_lowercase().replace('_', "-");
        let is_flag = find(command, &key).is_some_and(is_flag);
        let words = match value.to_str() {
            Some("1" | "true") if is_flag => vec![format!("--{key}").into()],
            Some("" | "0" | "false") if is_flag => Vec::new(),
            _ => vec![word(&key, &value)],
        };
        if key != "config" {
            judge(command, &key, &words).map_err(|(reason, hint)| {
                Failure::new(format_args!("{}: {reason}", variable.display())).hint(hint)
            })?;
        }
        options.push(Setting { key, words, value: Some(value) });
    }
    Ok(options)
}

fn read(command: &Command, path: &Path) -> Result<Vec<Setting>, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format_args!("cannot read {name}: {error}")))?;
    let table = DeTable::parse(&text)
        .map_err(|error| Failure::new(format_args!("{name}: {}", error.to_string().trim_end())))?;
    let mut options = Vec::new();
    for (key, value) in table.get_ref() {
        let at = format!("{name}, line {}", line(&text, key));
        let key = key.get_ref().to_string();
        let mut words = Vec::new();
        put(command, &key, value.get_ref(), &mut words)
            .and_then(|()| judge(command, &key, &words))
            .map_err(|(reason, hint)| Failure::new(format_args!("{at}: {reason}")).hint(hint))?;
        options.push(Setting { key, words, value: None });
    }
    Ok(options)
}

fn line<T>(text: &str, key: &Spanned<T>) -> usize {
    text.bytes().take(key.span().start).filter(|octet| *octet == b'\n').count() + 1
}

/// What is wrong, and what to do.
type Fault = (String, String);

/// `key = value` in words of the command line; a list gives the option several times.
fn put(command: &Command, key: &str, value: &DeValue<'_>, words: &mut Vec<OsString>) -> Result<(), Fault> {
    let is_flag = find(command, key).is_some_and(is_flag);
    match value {
        DeValue::Boolean(is_on) if is_flag => {
            words.extend(is_on.then(|| format!("--{key}").into()));
        }
        DeValue::Array(values) => {
            values.iter().try_for_each(|value| put(command, key, value.get_ref(), words))?;
        }
        DeValue::String(text) => words.push(word(key, OsStr::new(text.as_ref()))),
        DeValue::Integer(number) => {
            // TOML writes numbers to other bases too. One that is too long is left to the parser to refuse.
            let decimal = i128::from_str_radix(number.as_str(), number.radix());
            let text = decimal.map_or_else(|_| number.to_string(), |decimal| decimal.to_string());
            words.push(word(key, OsStr::new(&text)));
        }
        _ if find(command, key).is_none() => words.push(format!("--{key}").into()),
        _ => {
            let wanted = if is_flag { "true or false" } else { "a text, a whole number, or a list of these" };
            return Err((format!("{key} is not {wanted}"), format!("write it as `{key} = …`")));
        }
    }
    Ok(())
}

fn word(key: &str, value: &OsStr) -> OsString {
    let mut word = OsString::new();
    if key != FILTER {
        word.push(format!("--{key}="));
    }
    word.push(value);
    word
}

fn find<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| name(arg) == key)
}

fn is_flag(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// Whether the parser takes these words.
fn judge(command: &Command, key: &str, words: &[OsString]) -> Result<(), Fault> {
    let is_known = find(command, key).is_some() && !NOT_OPTIONS.contains(&key);
    let words = match is_known {
        true => words.to_vec(),
        false => vec![format!("--{key}").into()],
    };
    let parsed = command.clone().try_get_matches_from(std::iter::once(OsString::from("serve")).chain(words));
    match parsed {
        _ if NOT_OPTIONS.contains(&key) => {
            Err((format!("{key} is for the command line"), "remove it".to_owned()))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::UnknownArgument => {
            let hint = match error.get(ContextKind::SuggestedArg) {
                Some(ContextValue::String(nearest)) => {
                    format!("did you mean {}?", nearest.trim_start_matches("--"))
                }
                _ => "`mirrorscope serve --help` names the options".to_owned(),
            };
            Err((format!("there is no option {key}"), hint))
        }
        Err(error) => {
            let text = super::super::cut(&error.to_string());
            let reason = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Err((reason.to_owned(), "`mirrorscope serve --help` tells what it takes".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use serde_json::{Map, Value, json};

    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    /// The options that come out of a file, variables and a command line.
    fn gathered(name: &str, file: &str, variables: &[(&str, &str)], line: &str) -> Result<String, Failure> {
        let path = env::temp_dir().join(format!("mirrorscope-config-{}-{name}.toml", std::process::id()));
        fs::write(&path, file).unwrap();
        let mut line = words(line);
        line.extend(["--config".into(), path.clone().into_os_string()]);
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let result = gather(&super::super::command(), &line, variables);
        fs::remove_file(path).unwrap();
        let words = result?.into_iter().map(|word| word.into_string().unwrap());
        Ok(words.take_while(|word| word != "--config").collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let file = "workers = 3\nport = 7000\nqueue = 0x10\nouter = true\nrequire-sinks = false\n\
                    text = ['a', 'b']\nfilter = 'tcp port 443'\n";
        let all = gathered("all", file, &[], "").unwrap();
        assert_eq!(all, "tcp port 443 --outer --port=7000 --queue=16 --text=a --text=b --workers=3");
        let variables =
            [("MIRRORSCOPE_SERVE_PORT", "7001"), ("MIRRORSCOPE_SERVE_OUTER", "false"), ("HOME", "/")];
        let mixed = gathered("mixed", file, &variables, "--workers 5 --text c udp").unwrap();
        assert_eq!(mixed, "--queue=16 --port=7001 --workers 5 --text c udp");
        let other = gathered("other", "port = 7000\n", &[], "--listen 127.0.0.1:7002").unwrap();
        assert_eq!(other, "--listen 127.0.0.1:7002");
        let other = gathered("another", "listen = '127.0.0.1:7002'\n", &variables, "").unwrap();
        assert_eq!(other, "--port=7001");
    }

    #[test]
    fn a_fault_is_told_with_its_line_and_the_nearest_name() {
        let fault = |file: &str| {
            let failure = gathered("fault", file, &[], "").unwrap_err();
            format!("{failure:?}")
        };
        let unknown = fault("port = 7000\n\nworkerz = 3\n");
        assert!(unknown.contains("line 3: there is no option workerz"), "{unknown}");
        assert!(unknown.contains("did you mean workers?"), "{unknown}");
        let value = fault("# x\nport = 'many'\n");
        assert!(value.contains("line 2: invalid value 'many' for '--port"), "{value}");
        assert!(fault("outer = 3").contains("line 1: unexpected value '3'"), "{}", fault("outer = 3"));
        assert!(fault("workers = false").contains("line 1: workers is not a text"));
        assert!(fault("config = 'x'").contains("for the command line"));
        assert!(fault("[serve]\nport = 1\n").contains("line 1: there is no option serve"));
        assert!(fault("port = \n").contains("line 1"), "{}", fault("port = \n"));
        let variable = [("MIRRORSCOPE_SERVE_PROT", "1")];
        let failure = gathered("variable", "", &variable, "").unwrap_err();
        assert!(failure.to_string().contains("MIRRORSCOPE_SERVE_PROT"), "{failure}");
    }

    /// `agent/schema/serve.schema.json`, made from the options themselves.
    fn schema() -> Value {
        let command = super::super::command();
        let mut properties = Map::new();
        for arg in command.get_arguments().filter(|arg| !NOT_OPTIONS.contains(&name(arg).as_str())) {
            let values: Vec<_> =
                arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
            let one = match () {
                () if is_flag(arg) => json!({ "type": "boolean" }),
                () if !values.is_empty() => json!({ "enum": values }),
                () if is_number(arg) => json!({ "type": "integer", "minimum": 0 }),
                () => json!({ "type": "string" }),
            };
            let mut property = match arg.get_action() {
                ArgAction::Append if name(arg) != FILTER => {
                    json!({ "oneOf": [one, { "type": "array", "items": one }] })
                }
                _ => one,
            };
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            property["description"] = help.into();
            properties.insert(name(arg), property);
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "serve.schema.json",
            "title": "What `mirrorscope serve --config FILE` reads, as TOML",
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
        })
    }

    fn is_number(arg: &Arg) -> bool {
        let kind = arg.get_value_parser().type_id();
        kind == clap::builder::ValueParser::from(clap::value_parser!(u16)).type_id()
            || kind == clap::builder::ValueParser::from(clap::value_parser!(u32)).type_id()
            || kind == clap::builder::ValueParser::from(clap::value_parser!(u64)).type_id()
            || name(arg) == "max-flows"
    }

    #[test]
    fn the_schema_describes_the_options_as_they_are() {
        let wanted = format!("{:#}\n", schema());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/serve.schema.json");
        if env::var_os("MIRRORSCOPE_UPDATE").is_some() {
            fs::write(path, &wanted).unwrap();
        }
        let found = fs::read_to_string(path).unwrap_or_default();
        assert!(found == wanted, "it is out of date: MIRRORSCOPE_UPDATE=1 cargo test -p mirrorscope schema");
    }
}
