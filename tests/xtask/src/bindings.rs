//! The JavaScript side of the module, in as many files as the module has parts.
//!
//! wasm-bindgen writes one file. Its statements begin in the first column; a class or function of a later part goes to
//! that part's file, and what only such ones use goes with them. What loads the module is our own: a part needs the
//! parts before it, of which wasm-bindgen knows nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    shell::Outcome,
    split::{Cut, meet, part_of_export},
};

/// Functions that load a module, and what only they use.
const LOADING: [&str; 6] =
    ["initSync", "__wbg_init", "__wbg_init_once", "__wbg_init_promise", "__wbg_load", "__wbg_finalize_init"];
/// In their place. All parts use one memory, so what is kept of it stays good.
const LOADER: &str = "\
export let wasm;
export function imports() {
    const imports = __wbg_get_imports();
    Object.assign(imports['./bindings_bg.js'], later);
    return { ...imports, before: wasm ?? {} };
}
export function add({ exports }) {
    wasm = wasm ? Object.assign(Object.create(wasm), exports) : exports;
    exports.__wbindgen_start?.();
}
";
/// Begins a statement for engines that are older than any the package runs on; it ends with the next line `}`.
const FOR_OLD_ENGINES: &str = "if (!('encodeInto' in ";
/// The same, before what others take.
const OLD_REGISTRY: &str = "\
(typeof FinalizationRegistry === 'undefined')
    ? { register: () => {}, unregister: () => {} }
    : ";
/// Where a text begins to be copied into the module, and what is asked there: anything else would be read as a text, and
/// the module would fail on it.
const TEXT_ARGUMENT: &str = "function passStringToWasm0(arg, malloc, realloc) {\n";
const TEXT_CHECK: &str =
    "    if (typeof arg !== 'string') throw new TypeError(`a text is wanted, not ${typeof arg}`);\n";
/// Adds to what parts are instantiated with, in the file of the part that needs it.
const LATER: &str = "Object.assign(later, {\n";
/// The function that has what the module imports from JavaScript.
const IMPORTS: &str = "__wbg_get_imports";
/// Stands in later files: the bundler makes one file of what is always loaded together.
const BESIDE: &str = "import './api.js';\n";
/// Their types, in place of those of wasm-bindgen.
const LOADER_TYPES: &str = "\
/** What a part is instantiated with, after those before it. */
export function imports(): WebAssembly.Imports;
/** Makes the exports of a part callable. */
export function add(instance: WebAssembly.Instance): void;
/** The exports of all parts, once the first was added. */
export const wasm: { readonly memory: WebAssembly.Memory } | undefined;
";
/// Where the types begin that are left out.
const LOADING_TYPES: &str = "export type InitInput";

/// A statement and those without a name behind it.
#[derive(Debug)]
struct Block<'a> {
    name: &'a str,
    text: String,
    part: usize,
}

impl Block<'_> {
    /// Whether it is there for its own sake.
    fn is_root(&self) -> bool {
        self.text.starts_with("export ") || self.text.starts_with(LATER)
    }
}

/// The file of each part, which are called `names` and import these functions.
pub(crate) fn split(
    script: &str,
    cuts: &[Cut],
    names: &[&str],
    imports: &[BTreeSet<String>],
) -> Outcome<Vec<String>> {
    let script =
        script.replace(OLD_REGISTRY, "").replace(TEXT_ARGUMENT, &format!("{TEXT_ARGUMENT}{TEXT_CHECK}"));
    let mut blocks = blocks(&script);
    blocks.retain(|block| !LOADING.contains(&block.name) && block.name != "wasmModule");
    blocks.push(Block { name: "wasm", text: LOADER.to_owned(), part: 0 });
    blocks.push(Block { name: "later", text: "export const later = {};\n".to_owned(), part: 0 });
    let of_later = take_imports(&mut blocks, imports, cuts);
    let of_exports = |text: &str| {
        let parts = words(text, "wasm.").map(|name| part_of_export(name, cuts)).filter(|part| *part > 0);
        parts.reduce(|one, other| meet(cuts, one, other))
    };
    for block in &mut blocks {
        block.part = if block.is_root() { of_exports(&block.text).unwrap_or(0) } else { cuts.len() };
    }
    blocks.extend(of_later);
    settle(&mut blocks, cuts);
    (0..cuts.len()).map(|part| file(&blocks, part, names)).collect()
}

/// Takes the imports that the first part does not need out of their function, to where they are needed first.
fn take_imports<'a>(blocks: &mut [Block<'a>], imports: &[BTreeSet<String>], cuts: &[Cut]) -> Vec<Block<'a>> {
    let Some(block) = blocks.iter_mut().find(|block| block.name == IMPORTS) else { return Vec::new() };
    let mut texts = vec![String::new(); imports.len()];
    let mut part = 0;
    for line in block.text.lines() {
        let begin = line.strip_prefix("        ").and_then(|line| line.split_once(": function("));
        if let Some((import, _)) = begin.filter(|(import, _)| !import.starts_with(' ')) {
            let users = (0..).zip(imports).filter(|(_, names)| names.contains(import)).map(|(part, _)| part);
            part = users.reduce(|one, other| meet(cuts, one, other)).unwrap_or(0);
        }
        if let Some(text) = texts.get_mut(part) {
            text.extend([line, "\n"]);
        }
        if line == "        }," {
            part = 0;
        }
    }
    let mut texts = texts.into_iter();
    block.text = texts.next().unwrap_or_default();
    let of_part = |(part, text)| Block { name: "", text: format!("{LATER}{text}}});\n"), part };
    (1..).zip(texts).filter(|(_, text)| !text.is_empty()).map(of_part).collect()
}

/// The types of all parts, with those of our own loader.
pub(crate) fn types(types: &str) -> Outcome<String> {
    let (own, _) = types.split_once(LOADING_TYPES).ok_or("wasm-bindgen's types have no loader")?;
    Ok(format!("{own}{LOADER_TYPES}"))
}

/// Moves each block to where the parts meet that use it; who sets a variable must be where it is.
fn settle(blocks: &mut [Block<'_>], cuts: &[Cut]) {
    loop {
        let mut part_of: BTreeMap<String, usize> = BTreeMap::new();
        let mut lower = |name: &str, part: usize| {
            let known = part_of.entry(name.to_owned()).or_insert(part);
            *known = meet(cuts, part, *known);
        };
        for block in blocks.iter() {
            for user in blocks.iter().filter(|user| identifiers(&user.text).any(|word| word == block.name)) {
                lower(block.name, user.part);
                if user.text.contains(&format!("{} =", block.name)) {
                    lower(user.name, block.part);
                }
            }
        }
        let mut is_settled = true;
        for block in blocks.iter_mut().filter(|block| !block.is_root()) {
            let Some(part) = part_of.get(block.name).map(|part| meet(cuts, *part, block.part)) else {
                continue;
            };
            is_settled &= part == block.part;
            block.part = part;
        }
        if is_settled {
            return;
        }
    }
}

fn file(blocks: &[Block<'_>], part: usize, names: &[&str]) -> Outcome<String> {
    let mut imports: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    let mut exports = BTreeSet::new();
    let mut body = String::new();
    for block in blocks {
        let users = || blocks.iter().filter(|user| identifiers(&user.text).any(|word| word == block.name));
        if block.part == part {
            body.push_str(&block.text);
            if users().any(|user| (part + 1..names.len()).contains(&user.part)) && !block.is_root() {
                exports.insert(block.name);
            }
        } else if block.part < part && users().any(|user| user.part == part) {
            imports.entry(block.part).or_default().insert(block.name);
        }
    }
    let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
    let mut text = if part == 0 { String::new() } else { BESIDE.to_owned() };
    for (from, imported) in imports {
        let from = names.get(from).ok_or("a part has no name")?;
        text.push_str(&format!("import {{ {} }} from './{from}.js';\n", list(imported)));
    }
    Ok(format!("{text}{body}export {{ {} }};\n", list(exports)))
}

/// The statements, without the comments between them and without what only old engines need.
fn blocks(script: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut is_for_old = false;
    for line in script.lines() {
        is_for_old |= line.starts_with(FOR_OLD_ENGINES);
        if is_for_old {
            is_for_old = line != "}";
            continue;
        }
        if line.starts_with('/') || line.starts_with(" *") || line.starts_with("export {") {
            continue;
        }
        let begins = line.starts_with(|first: char| first.is_ascii_alphabetic());
        match (begins.then(|| name(line)).flatten(), blocks.last_mut()) {
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (name, _) => {
                blocks.push(Block { name: name.unwrap_or_default(), text: format!("{line}\n"), part: 0 });
            }
        }
    }
    blocks
}

/// What a statement that begins with `line` declares.
fn name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let (keyword, rest) = line.split_once(' ')?;
    let declares = ["class", "function", "const", "let"].contains(&keyword);
    declares.then(|| identifiers(rest).next()).flatten()
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Names, without those of members.
fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    let mut before = "";
    text.split_inclusive(|c| !is_of_word(c)).filter_map(move |piece| {
        let word = piece.trim_end_matches(|c| !is_of_word(c));
        // Points alone are those of a spread.
        let is_member = before.ends_with('.') && before != ".";
        before = piece;
        (!word.is_empty() && !is_member).then_some(word)
    })
}

/// The words that stand behind `before`.
fn words<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(|c| !is_of_word(c)).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "\
export class Early {
    free() { wasm.early(LEN); }
}
/**
 * A comment.
 */
export function late(text) {
    return helper(text, wasm.late, wasm.early);
}
export function early(text) {
    LEN = 3;
}
function helper(text) {

    return text;
}
let LEN = 0;
let encoder = new TextEncoder();
if (!('encodeInto' in encoder)) {
    encoder.encodeInto = function (text, view) {
    };
}
let wasmModule, wasmInstance, wasm;
function __wbg_get_imports() {
    const import0 = {
        __wbg_a: function() {
            return LEN;
        },
        __wbg_b: function() {
        },
    };
    return { './bindings_bg.js': import0 };
}
export { initSync };
";

    fn files() -> Vec<String> {
        let imports = [["__wbg_a".to_owned()].into(), ["__wbg_b".to_owned()].into()];
        let cuts = [Cut { exports: &[], needs: &[] }, Cut { exports: &["late"], needs: &[] }];
        split(SCRIPT, &cuts, &["first", "second"], &imports).expect("the script can be split")
    }

    #[test]
    fn an_import_goes_to_the_part_that_needs_it() {
        let [first, second] = &files()[..] else { panic!("two parts") };
        assert!(first.contains("__wbg_a") && !first.contains("__wbg_b"), "{first}");
        assert!(second.contains("Object.assign(later, {\n        __wbg_b: function() {"), "{second}");
    }

    #[test]
    fn what_old_engines_need_is_left_out_and_what_follows_is_not() {
        let blocks = blocks(SCRIPT);
        assert!(blocks.iter().all(|block| !block.text.contains("encodeInto")), "{blocks:?}");
        assert!(blocks.iter().any(|block| block.name == "wasmModule"), "{blocks:?}");
    }

    #[test]
    fn what_only_a_later_part_uses_goes_with_it() {
        let [first, second] = &files()[..] else { panic!("two parts") };
        assert!(first.contains("class Early") && first.contains("let LEN") && !first.contains("helper"));
        assert!(second.contains("function helper") && second.contains("function late"));
        assert!(second.contains("import { later, wasm } from './first.js';"), "{second}");
    }
}
