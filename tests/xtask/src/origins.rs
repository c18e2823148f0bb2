//! What each function and each piece of data of a linked module points to, by the linker's own account.
//!
//! A function pointer is a plain number in code and data. That it is one, only the relocations tell, which the linker
//! keeps if asked (`--emit-relocs`). Functions are known by their names here, and places in the table and addresses by
//! their numbers: both outlive the tools that come after the linker.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use wasmparser::{
    DataKind, ElementItems, ElementKind, KnownCustom, Linking, Name, Operator, Parser, Payload,
    RelocationType, SymbolInfo, TypeRef,
};

use crate::shell::Outcome;

/// Pointers of every function and of every piece of data.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    pub(crate) functions: HashMap<String, Pointers>,
    pub(crate) data: Vec<Datum>,
    /// Names of all functions, also of those without pointers.
    pub(crate) names: HashSet<String>,
}

/// What something points to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pointers {
    /// Places in the table of functions.
    pub(crate) slots: Vec<u32>,
    /// Places in [`Origins::data`].
    pub(crate) data: Vec<usize>,
}

/// A piece of data that has a name for the linker.
#[derive(Debug, Default)]
pub(crate) struct Datum {
    pub(crate) addresses: Range<u32>,
    pub(crate) pointers: Pointers,
}

/// A part of the file: a function's body, or a segment's octets, which begin at an address.
type Piece<T> = (Range<usize>, T);

/// The module's parts, as far as pointers are concerned.
#[derive(Default)]
struct Raw {
    imported: u32,
    names: HashMap<u32, String>,
    slots: HashMap<u32, Vec<u32>>,
    bodies: Vec<Piece<u32>>,
    segments: Vec<Piece<u32>>,
    /// Of the sections of code and data: where relocations count from.
    code_start: usize,
    data_start: usize,
    symbols: Vec<Symbol>,
    relocations: Vec<(Section, RelocationType, usize, u32)>,
}

#[derive(Clone, Copy)]
enum Symbol {
    Function(u32),
    Data { segment: u32, offset: u32, len: u32 },
    Other,
}

#[derive(Clone, Copy)]
enum Section {
    Code,
    Data,
}

impl Origins {
    /// Reads what the linker wrote.
    pub(crate) fn read(module: &[u8]) -> Outcome<Self> {
        let raw = Raw::read(module).map_err(|error| error.to_string())?;
        if raw.relocations.is_empty() {
            return Err("the linker kept no relocations".into());
        }
        Ok(raw.origins())
    }
}

impl Raw {
    fn read(module: &[u8]) -> wasmparser::Result<Self> {
        let mut raw = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        raw.imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::ElementSection(section) => {
                    for element in section {
                        raw.element(element?)?;
                    }
                }
                Payload::CodeSectionStart { unchecked_range, .. } => {
                    raw.code_start = unchecked_range.start as usize
                }
                Payload::CodeSectionEntry(body) => {
                    let range = body.range();
                    let index = raw.imported + raw.bodies.len() as u32;
                    raw.bodies.push((range.start as usize..range.end as usize, index));
                }
                Payload::DataSection(section) => {
                    raw.data_start = section.range().start as usize;
                    for data in section {
                        let data = data?;
                        let DataKind::Active { offset_expr, .. } = &data.kind else { continue };
                        let end = data.range.end as usize;
                        raw.segments.push((end - data.data.len()..end, constant(offset_expr)?));
                    }
                }
                Payload::CustomSection(section) => raw.custom(section.name(), section.as_known())?,
                _ => {}
            }
        }
        Ok(raw)
    }

    fn element(&mut self, element: wasmparser::Element<'_>) -> wasmparser::Result<()> {
        let ElementKind::Active { offset_expr, .. } = &element.kind else { return Ok(()) };
        let ElementItems::Functions(functions) = element.items else { return Ok(()) };
        let start = constant(offset_expr)?;
        for (slot, function) in (start..).zip(functions) {
            self.slots.entry(function?).or_default().push(slot);
        }
        Ok(())
    }

    fn custom(&mut self, name: &str, known: KnownCustom<'_>) -> wasmparser::Result<()> {
        match known {
            KnownCustom::Name(names) => {
                for name in names {
                    let Name::Function(functions) = name? else { continue };
                    for naming in functions {
                        let naming = naming?;
                        self.names.insert(naming.index, without_hash(naming.name).to_owned());
                    }
                }
            }
            KnownCustom::Linking(linking) => {
                for linking in linking.subsections() {
                    let Linking::SymbolTable(symbols) = linking? else { continue };
                    for symbol in symbols {
                        self.symbols.push(Symbol::of(&symbol?));
                    }
                }
            }
            KnownCustom::Reloc(relocations) => {
                let section = match name {
                    "reloc.CODE" => Section::Code,
                    "reloc.DATA" => Section::Data,
                    _ => return Ok(()),
                };
                for entry in relocations.entries() {
                    let entry = entry?;
                    self.relocations.push((section, entry.ty, entry.offset as usize, entry.index));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn origins(self) -> Origins {
        let names = self.names.values().cloned().collect();
        let mut origins = Origins { names, ..Origins::default() };
        // Symbols of the same place are one piece; names of the same function are one function.
        let mut data_of = HashMap::new();
        for symbol in &self.symbols {
            let Symbol::Data { segment, offset, len } = *symbol else { continue };
            let Some((_, address)) = self.segments.get(segment as usize) else { continue };
            let start = address + offset;
            data_of.entry((segment, offset)).or_insert_with(|| {
                origins.data.push(Datum { addresses: start..start, pointers: Pointers::default() });
                origins.data.len() - 1
            });
            if let Some(datum) = data_of.get(&(segment, offset)).and_then(|at| origins.data.get_mut(*at)) {
                datum.addresses.end = datum.addresses.end.max(start + len);
            }
        }
        for (section, ty, offset, symbol) in &self.relocations {
            let to = match (ty, self.symbols.get(*symbol as usize)) {
                (
                    RelocationType::TableIndexSleb | RelocationType::TableIndexI32,
                    Some(Symbol::Function(index)),
                ) => Pointers { slots: self.slots.get(index).cloned().unwrap_or_default(), data: Vec::new() },
                (
                    RelocationType::MemoryAddrLeb
                    | RelocationType::MemoryAddrSleb
                    | RelocationType::MemoryAddrI32,
                    Some(Symbol::Data { segment, offset, .. }),
                ) => Pointers {
                    slots: Vec::new(),
                    data: data_of.get(&(*segment, *offset)).copied().into_iter().collect(),
                },
                _ => continue,
            };
            let from = match section {
                Section::Code => {
                    let at = self.code_start + offset;
                    let Some((_, index)) = find(&self.bodies, at) else { continue };
                    let Some(name) = self.names.get(index) else { continue };
                    vec![origins.functions.entry(name.clone()).or_default()]
                }
                Section::Data => {
                    let at = self.data_start + offset;
                    let Some((range, address)) = find(&self.segments, at) else { continue };
                    let address = address + (at - range.start) as u32;
                    // Pieces may lie in one another: all that hold the address have the pointer.
                    let holding = origins.data.iter_mut().filter(|datum| datum.addresses.contains(&address));
                    holding.map(|datum| &mut datum.pointers).collect()
                }
            };
            for pointers in from {
                pointers.slots.extend(&to.slots);
                pointers.data.extend(&to.data);
            }
        }
        origins
    }
}

impl Symbol {
    fn of(symbol: &SymbolInfo<'_>) -> Self {
        match symbol {
            SymbolInfo::Func { index, .. } => Self::Function(*index),
            SymbolInfo::Data { symbol: Some(defined), .. } => {
                Self::Data { segment: defined.index, offset: defined.offset, len: defined.size }
            }
            _ => Self::Other,
        }
    }
}

fn find<T>(pieces: &[Piece<T>], at: usize) -> Option<&Piece<T>> {
    let next = pieces.partition_point(|(range, _)| range.start <= at);
    pieces.get(next.checked_sub(1)?).filter(|(range, _)| range.contains(&at))
}

/// The name of a function as it is called later: wasm-bindgen takes its hash off what is exported.
fn without_hash(name: &str) -> &str {
    const HASH_LEN: usize = 16;
    let is_hash =
        |hash: &str| hash.len() == HASH_LEN && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    // Mangled names stay.
    let exported = name.strip_prefix("_R").is_none();
    name.rsplit_once('_').filter(|(_, hash)| exported && is_hash(hash)).map_or(name, |(name, _)| name)
}

/// The value of an expression that is one number, as a linker writes for what does not move.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> wasmparser::Result<u32> {
    match expression.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(value.cast_unsigned()),
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exported_functions_lose_their_hash_and_mangled_names_keep_it() {
        assert_eq!(without_hash("rawdecoder_step_f911e35c0c311d7e"), "rawdecoder_step");
        assert_eq!(without_hash("version"), "version");
        assert_eq!(without_hash("a_face"), "a_face");
        assert_eq!(without_hash("_RNv_12_crate_30cbea9b93b9cd24"), "_RNv_12_crate_30cbea9b93b9cd24");
    }
}
