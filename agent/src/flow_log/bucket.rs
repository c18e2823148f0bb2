//! A bucket in S3, or in a store that speaks like it.
//!
//! Where it is and with whose keys it is written is said as to every tool for AWS: `AWS_REGION`, `AWS_ENDPOINT_URL`,
//! `AWS_ACCESS_KEY_ID` and so on; on EC2 and ECS the role's credentials are used. A put is one request, which S3
//! fulfils whole or not at all.

use std::time::Duration;

use object_store::{
    ClientOptions, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use tokio::runtime::{Builder, Runtime};

use super::store::Store;
use crate::failure::Failure;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A bucket.
pub(super) struct Bucket {
    store: AmazonS3,
    name: String,
    prefix: String,
    runtime: Runtime,
}

impl Bucket {
    pub(super) fn open(name: &str, prefix: &str, region: Option<&str>) -> Result<Self, Failure> {
        // An error says that somebody else has chosen already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(format_args!("no runtime: {error}")))?;
        // The outbox tries again, so that this need not.
        let retry = RetryConfig { max_retries: 1, retry_timeout: TIMEOUT, ..RetryConfig::default() };
        let is_plain = std::env::var("AWS_ENDPOINT_URL").is_ok_and(|url| url.starts_with("http://"));
        let options = ClientOptions::new().with_timeout(TIMEOUT).with_allow_http(is_plain);
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retry);
        if let Some(region) = region {
            builder = builder.with_region(region);
        }
        let store = builder.with_client_options(options).build();
        let store = store.map_err(|error| {
            Failure::new(format_args!("s3://{name}: {error}"))
                .hint("AWS_REGION, AWS_ENDPOINT_URL and the keys are read from the environment")
        })?;
        Ok(Self { store, name: name.to_owned(), prefix: prefix.to_owned(), runtime })
    }
}

impl Store for Bucket {
    fn put(&mut self, path: &str, octets: &[u8]) -> Result<(), Failure> {
        let path = match self.prefix.is_empty() {
            true => path.to_owned(),
            false => format!("{}/{path}", self.prefix),
        };
        let failure = |error: String| Failure::new(format_args!("s3://{}: {error}", self.name));
        let path = Path::parse(path).map_err(|error| failure(error.to_string()))?;
        let put = self.store.put(&path, octets.to_vec().into());
        self.runtime.block_on(put).map(|_| ()).map_err(|error| failure(error.to_string()))
    }
}
