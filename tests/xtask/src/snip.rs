//! A module without the words of its panics: nobody reads them in WebAssembly, where a panic is a trap either way.
//!
//! The functions of the standard library that a panic ends in become that trap. wasm-opt then removes the messages'
//! printers and the arguments at every call.

use std::path::Path;

use walrus::{FunctionBuilder, FunctionKind, LocalFunction, Module, ModuleConfig};

use crate::shell::Outcome;

/// Parts of the mangled names of functions that never return.
const NEVER_RETURN: [&str; 10] = [
    "4core9panicking",
    "16slice_error_fail",
    "16slice_index_fail",
    "13unwrap_failed",
    "13expect_failed",
    "17len_mismatch_fail",
    "13assert_failed",
    "17capacity_overflow",
    "12handle_error",
    "18handle_alloc_error",
];
/// Of names with the above, those of functions that return: drops of a panic's payload, and whether a thread panics.
const RETURN: [&str; 2] = ["panic_count", "drop_in_place"];

/// The module of `file`, its panics cut short.
pub(crate) fn panics(file: &Path) -> Outcome<Module> {
    let describe = |error| format!("{}: {error:#}", file.display());
    let mut config = ModuleConfig::new();
    config.generate_name_section(true).generate_producers_section(false);
    let mut module = config.parse_file(file).map_err(describe)?;
    let never_return: Vec<_> = module
        .funcs
        .iter_local()
        .filter(|(id, _)| module.funcs.get(*id).name.as_deref().is_some_and(never_returns))
        .map(|(id, _)| id)
        .collect();
    for id in never_return {
        let trap = trap(&mut module, id);
        module.funcs.get_mut(id).kind = FunctionKind::Local(trap);
    }
    Ok(module)
}

fn never_returns(name: &str) -> bool {
    NEVER_RETURN.iter().any(|part| name.contains(part)) && !RETURN.iter().any(|part| name.contains(part))
}

/// A function with the type of another that does nothing but trap.
fn trap(module: &mut Module, like: walrus::FunctionId) -> LocalFunction {
    let ty = module.types.get(module.funcs.get(like).ty());
    let (params, results) = (ty.params().to_vec(), ty.results().to_vec());
    let args = params.iter().map(|param| module.locals.add(*param)).collect();
    let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
    builder.func_body().unreachable();
    builder.local_func(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_manglings_are_known_and_others_are_left() {
        assert!(never_returns("_RNvNtCsgXGp5Oqx2Ny_4core9panicking9panic_fmt"));
        assert!(never_returns("_ZN4core9panicking9panic_fmt17h0123456789abcdefE"));
        assert!(!never_returns("_RNvNtNtCsebHcaeoSrxy_3std9panicking11panic_count8increase"));
        assert!(!never_returns("_ZN16mirrorscope_core5stack7Decoder4walk17h0123456789abcdefE"));
    }
}
