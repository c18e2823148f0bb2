//! `FORMAT[:PLACE]`: in which format flow logs go where.

use std::{net::SocketAddr, net::ToSocketAddrs, path::PathBuf, str::FromStr};

use mirrorscope_core::flow_log::ipfix;

use super::format::Format;

/// A format and a place that takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// As it was said.
    pub(crate) text: String,
    /// How.
    pub(crate) format: Format,
    /// Where to.
    pub(crate) place: Place,
}

/// Where flow logs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Standard output.
    Output,
    /// A folder, in which the layout of [`mirrorscope_core::flow_log::layout`] begins.
    Folder(PathBuf),
    /// A bucket and the prefix before the layout.
    Bucket {
        /// Name of the bucket.
        name: String,
        /// Without slashes at its ends; may be empty.
        prefix: String,
    },
    /// An IPFIX collector.
    Collector {
        /// Whether over TCP.
        tcp: bool,
        /// Where it listens.
        address: SocketAddr,
    },
}

const SYNTAX: &str = "vpc, json, vpc:FOLDER, json:FOLDER, parquet:FOLDER, any of these three with s3://BUCKET/PREFIX \
                      instead of FOLDER, ipfix:udp://HOST:PORT or ipfix:tcp://HOST:PORT";

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, place) = text.split_once(':').unwrap_or((text, ""));
        let format = Format::ALL.into_iter().find(|(name, _)| *name == word).map(|(_, format)| format);
        let format = format.ok_or_else(|| format!("there is no format {word:?}; a flow log is {SYNTAX}"))?;
        let place = match (format, place) {
            (Format::Ipfix, place) => collector(place)?,
            (Format::Vpc | Format::Json, "" | "-") => Place::Output,
            (Format::Parquet, "" | "-") => {
                return Err("Parquet needs a place, such as parquet:FOLDER".to_owned());
            }
            (_, place) => match place.strip_prefix("s3://") {
                Some(bucket) => self::bucket(bucket)?,
                None => Place::Folder(place.into()),
            },
        };
        Ok(Self { text: text.to_owned(), format, place })
    }
}

fn bucket(text: &str) -> Result<Place, String> {
    let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
    match name {
        "" => Err("s3:// needs the name of a bucket".to_owned()),
        _ if !cfg!(feature = "s3") => {
            Err("this program was built without S3; build it with `--features s3`, or write to a folder"
                .to_owned())
        }
        name => Ok(Place::Bucket { name: name.to_owned(), prefix: prefix.trim_matches('/').to_owned() }),
    }
}

fn collector(text: &str) -> Result<Place, String> {
    let (tcp, host) = match (text.strip_prefix("udp://"), text.strip_prefix("tcp://")) {
        (Some(host), _) => (false, host),
        (_, Some(host)) => (true, host),
        _ => {
            return Err(
                "IPFIX goes to a collector: ipfix:udp://HOST:PORT or ipfix:tcp://HOST:PORT".to_owned()
            );
        }
    };
    let address = host.to_socket_addrs().or_else(|_| (host, ipfix::PORT).to_socket_addrs());
    let address = address.map_err(|error| format!("{host}: {error}"))?.next();
    Ok(Place::Collector { tcp, address: address.ok_or_else(|| format!("{host} has no address"))? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<Place, String> {
        text.parse::<Target>().map(|target| target.place)
    }

    #[test]
    fn a_format_has_the_places_that_can_take_it() {
        assert_eq!(place("vpc"), Ok(Place::Output));
        assert_eq!(place("json:-"), Ok(Place::Output));
        assert_eq!(place("parquet:/var/log/flows"), Ok(Place::Folder("/var/log/flows".into())));
        let address = |text: &str| text.parse().unwrap();
        let collector = |tcp, text| Ok(Place::Collector { tcp, address: address(text) });
        assert_eq!(place("ipfix:udp://127.0.0.1:9995"), collector(false, "127.0.0.1:9995"));
        assert_eq!(place("ipfix:tcp://127.0.0.1"), collector(true, "127.0.0.1:4739"));
        for nonsense in ["", "csv", "parquet", "parquet:-", "ipfix", "ipfix:/tmp", "vpc:s3://"] {
            assert!(place(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn a_bucket_is_known_where_the_program_can_reach_it() {
        let expected = Place::Bucket { name: "b".to_owned(), prefix: "p/q".to_owned() };
        match place("parquet:s3://b/p/q/") {
            Ok(place) => assert_eq!((place, cfg!(feature = "s3")), (expected, true)),
            Err(error) => assert!(error.contains("--features s3") && !cfg!(feature = "s3"), "{error}"),
        }
    }
}
