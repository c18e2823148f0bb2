//! The options that name files which the AWS CLI printed, and the names that such files give to mirror sources.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs::File,
    io::{Read, stdin},
    path::{Path, PathBuf},
};

use clap::Args;
use mirrorscope_core::aws::{
    describe::{self, DescribeError, MAX_JSON_LEN},
    inventory::Inventory,
    mirror::MirrorIdentity,
    names::Names,
};

use crate::failure::{DAMAGED_INPUT, Failure};

/// Files that the AWS CLI printed. Any option takes any of them, and a file may hold several.
#[derive(Args, Debug)]
pub(crate) struct AwsFiles {
    /// Output of `aws ec2 describe-traffic-mirror-filters`
    #[arg(long, value_name = "JSON")]
    filters: Vec<PathBuf>,

    #[command(flatten)]
    sources: SourceFiles,
}

/// Files that tell who is behind a mirror session.
#[derive(Args, Debug)]
pub(crate) struct SourceFiles {
    /// Output of `aws ec2 describe-traffic-mirror-sessions`
    #[arg(long, value_name = "JSON")]
    sessions: Vec<PathBuf>,

    /// Output of `aws ec2 describe-traffic-mirror-targets`
    #[arg(long, value_name = "JSON")]
    targets: Vec<PathBuf>,

    /// Output of `aws ec2 describe-network-interfaces`
    #[arg(long, value_name = "JSON")]
    enis: Vec<PathBuf>,
}

impl AwsFiles {
    /// Reads all files, and those of `more`.
    pub(crate) fn read(&self, more: &[PathBuf]) -> Result<Inventory, Failure> {
        let mut inventory = self.sources.read()?;
        for path in self.filters.iter().chain(more) {
            inventory.merge(read(path)?);
        }
        Ok(inventory)
    }
}

impl SourceFiles {
    /// The files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.sessions.iter().chain(&self.targets).chain(&self.enis)
    }

    /// Reads all files.
    pub(crate) fn read(&self) -> Result<Inventory, Failure> {
        let mut inventory = Inventory::default();
        for path in self.paths() {
            inventory.merge(read(path)?);
        }
        Ok(inventory)
    }

    /// The names of mirror sources that the files give.
    pub(crate) fn names(&self) -> Result<SourceNames, Failure> {
        Ok(SourceNames { names: Names::new(self.read()?) })
    }
}

fn read(path: &Path) -> Result<Inventory, Failure> {
    describe::parse(&read_octets(path)?).map_err(|error| broken(path, &error))
}

/// The file at `path`, as far as its length is allowed; `-` is standard input.
pub(crate) fn read_octets(path: &Path) -> Result<Vec<u8>, Failure> {
    let name = &path.display();
    let mut json = Vec::new();
    let file: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(stdin()),
        false => Box::new(File::open(path).map_err(|error| Failure::read(name, &error))?),
    };
    // One octet more than is allowed, so that core sees that there are too many.
    let limit = MAX_JSON_LEN as u64 + 1;
    file.take(limit).read_to_end(&mut json).map_err(|error| Failure::read(name, &error))?;
    Ok(json)
}

/// The file at `path` is not what was wanted.
pub(crate) fn broken(path: &Path, error: &DescribeError) -> Failure {
    let place = match error.line {
        0 => String::new(),
        line => format!("line {line}, column {}: ", error.column),
    };
    let message = format!("{}: {place}{}", path.display(), error.message);
    Failure::new(message).hint(error.hint).status(DAMAGED_INPUT)
}

/// Names of mirror sources.
pub(crate) struct SourceNames {
    names: Names,
}

/// The most answers that are remembered; beyond it each packet is looked up anew.
const MAX_REMEMBERED: usize = 65_536;

impl SourceNames {
    /// A function that looks up names and remembers them, as the sinks want it.
    pub(crate) fn lookup<'a>(&'a self) -> impl Fn(&MirrorIdentity) -> Option<&'a str> {
        let remembered = RefCell::new(HashMap::new());
        let nobody_is_named = self.names.is_empty();
        move |identity| {
            if nobody_is_named {
                return None;
            }
            let mut remembered = remembered.borrow_mut();
            if let Some(name) = remembered.get(identity) {
                return *name;
            }
            let name = self.names.lookup(identity).and_then(|name| name.best());
            if remembered.len() < MAX_REMEMBERED {
                remembered.insert(*identity, name);
            }
            name
        }
    }
}
