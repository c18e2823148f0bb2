//! A schema that the project publishes, to hold output against.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use crate::workspace_root;

/// A file of `agent/schema`.
pub struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    /// The schema in the file of this name.
    ///
    /// # Panics
    /// The file is missing or no JSON Schema.
    pub fn named(name: &str) -> Self {
        let mut schemas = Schemas::new();
        let path = workspace_root().join("agent/schema").join(name);
        let index = Compiler::new().compile(&path.display().to_string(), &mut schemas);
        Self { index: index.expect("the schema is one"), schemas }
    }

    /// Whether `value` keeps to it.
    pub fn allows(&self, value: &Value) -> bool {
        self.schemas.validate(value, self.index).is_ok()
    }

    /// Fails, with what is wrong where, unless `value` keeps to it.
    ///
    /// # Panics
    /// `value`, which came from `origin`, does not keep to the schema.
    pub fn assert_allows(&self, value: &Value, origin: &str) {
        if let Err(error) = self.schemas.validate(value, self.index) {
            panic!("{origin}: {error}\n{value}");
        }
    }
}
