//! One module in parts: the first runs alone, each other needs the first and those that it names.
//!
//! Exports reach functions and data, by calls or by pointers. What several parts reach lies where all of them find it: in
//! one of them that the others need, or else in the first. All parts share the first one's memory, table and stack; a
//! part that is loaded adds its functions to the table and its data to the memory, at the places that the linker gave
//! them. Those are good for one build, so the memory's name tells which: a part of another build cannot be linked.

use std::collections::{HashMap, HashSet};

use flate2::Crc;
use walrus::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExportItem, Function, FunctionId, FunctionKind,
    GlobalKind, ImportedFunction, LocalFunction, Module, ModuleConfig, TableId,
    ir::{self, Value, Visitor},
    passes::gc,
};

use crate::{origins::Origins, shell::Outcome};

/// Where a part imports from what was loaded before it.
const BEFORE: &str = "before";

/// What a part is to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// How the names of its exports begin; the first part has all that no other has.
    pub exports: &'static [&'static str],
    /// The parts that are loaded before it, besides the first.
    pub needs: &'static [usize],
}

/// The part where both find what they share. A number behind the last part is nobody's, and gives way.
pub(crate) fn meet(cuts: &[Cut], one: usize, other: usize) -> usize {
    let gives_way = |part: usize, to: usize| cuts.get(part).is_none_or(|cut| cut.needs.contains(&to));
    if one == other || gives_way(one, other) {
        other
    } else if gives_way(other, one) {
        one
    } else {
        0
    }
}

/// Which part each thing is in; nothing where no export reaches it. Functions are told by their places, which are the
/// same each time that the module is read.
struct Parts<'a> {
    origins: &'a Origins,
    cuts: &'a [Cut],
    functions: HashMap<usize, usize>,
    data: HashMap<usize, usize>,
    table: HashMap<u32, usize>,
    memory_name: String,
}

/// Splits a module as `cuts` tell; a part needs only ones before it.
pub(crate) fn split(module: &[u8], origins: &Origins, cuts: &[Cut]) -> Outcome<Vec<Vec<u8>>> {
    let whole = parse(module)?;
    all_are_known(&whole, origins)?;
    let parts = Parts::of(&whole, origins, cuts, memory_name(module));
    (0..cuts.len()).map(|part| parts.emit(module, part)).collect()
}

/// What a function points to is found by its name: one that the linker did not name would lose its data.
fn all_are_known(module: &Module, origins: &Origins) -> Outcome {
    // What wasm-bindgen adds: wrappers of functions that are known, and helpers without data.
    const SHIM: &str = " shim";
    const OWN: &str = "__wbindgen_";
    let is_known = |name: &str| name.ends_with(SHIM) || name.starts_with(OWN) || origins.names.contains(name);
    let mut names =
        module.funcs.iter_local().map(|(id, _)| module.funcs.get(id).name.as_deref().unwrap_or_default());
    match names.find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => {
            Err(format!("the linker knows no function `{name}`, so what it points to is not known"))
        }
    }
}

fn parse(module: &[u8]) -> Outcome<Module> {
    let mut config = ModuleConfig::new();
    config.generate_name_section(false).generate_producers_section(false);
    config.parse(module).map_err(|error| format!("{error:#}"))
}

/// The part that an export belongs to.
pub(crate) fn part_of_export(name: &str, cuts: &[Cut]) -> usize {
    let lists = |cut: &Cut| cut.exports.iter().any(|begin| name.starts_with(begin));
    // The last that lists it: what is said of a class may be different for one method.
    cuts.iter().rposition(lists).unwrap_or(0)
}

impl<'a> Parts<'a> {
    fn of(module: &Module, origins: &'a Origins, cuts: &'a [Cut], memory_name: String) -> Self {
        let table = slots(module).into_iter().map(|(slot, id)| (slot, id.index())).collect();
        let ids: HashMap<_, _> =
            module.funcs.iter().map(|function| (function.id().index(), function)).collect();
        let (functions, data) = (HashMap::new(), HashMap::new());
        let mut parts = Self { origins, cuts, functions, data, table, memory_name };
        for part in 0..cuts.len() {
            let roots = module.exports.iter().filter_map(|export| match export.item {
                ExportItem::Function(id) if part_of_export(&export.name, cuts) == part => Some(id.index()),
                _ => None,
            });
            parts.reach(&ids, roots.collect(), part);
        }
        parts
    }

    /// Takes functions and all that they reach into a part, or where it meets those that reach them too.
    fn reach(
        &mut self,
        functions_by_place: &HashMap<usize, &Function>,
        mut functions: Vec<usize>,
        part: usize,
    ) {
        let mut data = Vec::new();
        let (mut seen_functions, mut seen_data) = (HashSet::new(), HashSet::new());
        let place = |places: &mut HashMap<usize, usize>, thing| {
            let place = places.entry(thing).or_insert(part);
            *place = meet(self.cuts, *place, part);
        };
        loop {
            let pointers = if let Some(id) = functions.pop() {
                if !seen_functions.insert(id) {
                    continue;
                }
                place(&mut self.functions, id);
                let Some(function) = functions_by_place.get(&id) else { continue };
                if let FunctionKind::Local(local) = &function.kind {
                    functions.extend(callees(local).into_iter().map(|id| id.index()));
                }
                function.name.as_deref().and_then(|name| self.origins.functions.get(name))
            } else if let Some(datum) = data.pop() {
                if !seen_data.insert(datum) {
                    continue;
                }
                place(&mut self.data, datum);
                self.origins.data.get(datum).map(|datum| &datum.pointers)
            } else {
                return;
            };
            let Some(pointers) = pointers else { continue };
            functions.extend(pointers.slots.iter().filter_map(|slot| self.table.get(slot)));
            data.extend(&pointers.data);
        }
    }

    fn part_of(&self, function: FunctionId) -> usize {
        self.functions.get(&function.index()).copied().unwrap_or(self.cuts.len())
    }

    /// The module of one part.
    fn emit(&self, module: &[u8], part: usize) -> Outcome<Vec<u8>> {
        let mut module = parse(module)?;
        for (id, of) in module
            .exports
            .iter()
            .map(|export| (export.id(), part_of_export(&export.name, self.cuts)))
            .collect::<Vec<_>>()
        {
            if of != part {
                module.exports.delete(id);
            }
        }
        for id in self.shared(&module, part) {
            module.exports.add(&shared_name(id), id);
        }
        if part > 0 {
            self.import_before(&mut module, part);
        } else {
            share_state(&mut module, &self.memory_name);
        }
        self.keep_slots(&mut module, part)?;
        self.keep_data(&mut module, part);
        gc::run(&mut module);
        for id in module.customs.iter().map(|(id, _)| id).collect::<Vec<_>>() {
            module.customs.delete(id);
        }
        Ok(module.emit_wasm())
    }

    /// Functions of a part that later ones call.
    fn shared(&self, module: &Module, part: usize) -> Vec<FunctionId> {
        let mut found: Vec<_> = module
            .funcs
            .iter_local()
            .filter(|(id, _)| (part + 1..self.cuts.len()).contains(&self.part_of(*id)))
            .flat_map(|(_, local)| callees(local))
            .filter(|id| {
                self.part_of(*id) == part && matches!(module.funcs.get(*id).kind, FunctionKind::Local(_))
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Makes imports of what earlier parts have.
    fn import_before(&self, module: &mut Module, part: usize) {
        let before: Vec<_> = module
            .funcs
            .iter_local()
            .filter(|(id, _)| self.part_of(*id) < part)
            .map(|(id, local)| (id, local.ty()))
            .collect();
        for (id, ty) in before {
            let import = module.imports.add(BEFORE, &shared_name(id), id);
            module.funcs.get_mut(id).kind = FunctionKind::Import(ImportedFunction { import, ty });
        }
        for (name, id) in memories(module, &self.memory_name) {
            let import = module.imports.add(BEFORE, &name, id);
            module.memories.get_mut(id).import = Some(import);
        }
        for (name, id) in tables(module) {
            let import = module.imports.add(BEFORE, &name, id);
            module.tables.get_mut(id).import = Some(import);
        }
        for (name, id) in globals(module) {
            let import = module.imports.add(BEFORE, &name, id);
            module.globals.get_mut(id).kind = GlobalKind::Import(import);
        }
    }

    /// Leaves only the part's own functions in the table.
    fn keep_slots(&self, module: &mut Module, part: usize) -> Outcome {
        let Some(table) = function_table(module) else {
            return Err("the module has no table of functions".into());
        };
        let mut own: Vec<_> = slots(module).into_iter().filter(|(_, id)| self.part_of(*id) == part).collect();
        own.sort_unstable_by_key(|(slot, _)| *slot);
        for id in module.elements.iter().map(|element| element.id()).collect::<Vec<_>>() {
            module.elements.delete(id);
        }
        module.tables.get_mut(table).elem_segments.clear();
        for run in own.chunk_by(|(slot, _), (next, _)| slot + 1 == *next) {
            let Some((start, _)) = run.first() else { continue };
            let kind = ElementKind::Active { table, offset: number(*start) };
            let items = ElementItems::Functions(run.iter().map(|(_, id)| *id).collect());
            let element = module.elements.add(kind, items);
            module.tables.get_mut(table).elem_segments.insert(element);
        }
        Ok(())
    }

    /// Leaves only the data that no earlier part has; in the first also what nobody is known to point to.
    fn keep_data(&self, module: &mut Module, part: usize) {
        let segments: Vec<_> = module
            .data
            .iter()
            .filter_map(|data| match data.kind {
                DataKind::Active { memory, offset: ConstExpr::Value(Value::I32(start)) } => {
                    Some((data.id(), memory, start.cast_unsigned(), data.value.clone()))
                }
                _ => None,
            })
            .collect();
        for (id, memory, start, octets) in segments {
            let owners = self.owners(start, octets.len());
            module.memories.get_mut(memory).data_segments.remove(&id);
            module.data.delete(id);
            let mut from = 0;
            for run in owners.chunk_by(|owner, next| owner == next) {
                let to = from + run.len();
                if run.first() == Some(&Some(part)) || part == 0 && run.first() == Some(&None) {
                    let value = octets.get(from..to).unwrap_or_default().to_vec();
                    let kind = DataKind::Active { memory, offset: number(start + from as u32) };
                    let data = module.data.add(kind, value);
                    module.memories.get_mut(memory).data_segments.insert(data);
                }
                from = to;
            }
        }
    }

    /// The part of each octet from `start` on: where those meet whose data lies there.
    fn owners(&self, start: u32, len: usize) -> Vec<Option<usize>> {
        let mut owners: Vec<Option<usize>> = vec![None; len];
        for (at, datum) in self.origins.data.iter().enumerate() {
            let part = self.data.get(&at).copied().unwrap_or(self.cuts.len());
            let from = datum.addresses.start.saturating_sub(start) as usize;
            let to = (datum.addresses.end.saturating_sub(start) as usize).min(len);
            for owner in owners.get_mut(from..to).unwrap_or_default() {
                *owner = Some(owner.map_or(part, |known| meet(self.cuts, known, part)));
            }
        }
        owners
    }
}

/// Lets later parts use the memory, the tables and the globals.
fn share_state(module: &mut Module, memory_name: &str) {
    for (name, id) in memories(module, memory_name) {
        module.exports.add(&name, id);
    }
    for (name, id) in tables(module) {
        module.exports.add(&name, id);
    }
    for (name, id) in globals(module) {
        module.exports.add(&name, id);
    }
}

fn memories(module: &Module, name: &str) -> Vec<(String, walrus::MemoryId)> {
    module.memories.iter().enumerate().map(|(at, memory)| (format!("{name}{at}"), memory.id())).collect()
}

/// How the names of memories begin: another build has other ones, though its functions may be numbered alike.
fn memory_name(module: &[u8]) -> String {
    let mut crc = Crc::new();
    crc.update(module);
    format!("{:x}m", crc.sum())
}

fn tables(module: &Module) -> Vec<(String, TableId)> {
    module.tables.iter().enumerate().map(|(at, table)| (format!("t{at}"), table.id())).collect()
}

fn globals(module: &Module) -> Vec<(String, walrus::GlobalId)> {
    module.globals.iter().enumerate().map(|(at, global)| (format!("g{at}"), global.id())).collect()
}

fn shared_name(function: FunctionId) -> String {
    format!("f{}", function.index())
}

fn number(value: u32) -> ConstExpr {
    ConstExpr::Value(Value::I32(value.cast_signed()))
}

/// The table that pointers to functions are places of.
fn function_table(module: &Module) -> Option<TableId> {
    module.elements.iter().find_map(|element| match element.kind {
        ElementKind::Active { table, .. } => Some(table),
        _ => None,
    })
}

fn slots(module: &Module) -> HashMap<u32, FunctionId> {
    let mut slots = HashMap::new();
    for element in module.elements.iter() {
        let ElementKind::Active { offset: ConstExpr::Value(Value::I32(start)), .. } = element.kind else {
            continue;
        };
        if let ElementItems::Functions(functions) = &element.items {
            slots.extend((start.cast_unsigned()..).zip(functions.iter().copied()));
        }
    }
    slots
}

fn callees(function: &LocalFunction) -> Vec<FunctionId> {
    #[derive(Default)]
    struct Calls(Vec<FunctionId>);
    impl Visitor<'_> for Calls {
        fn visit_function_id(&mut self, function: &FunctionId) {
            self.0.push(*function);
        }
    }
    let mut calls = Calls::default();
    ir::dfs_in_order(&mut calls, function, function.entry_block());
    calls.0
}

#[cfg(test)]
mod tests {
    use walrus::{FunctionBuilder, RefType, ValType};

    use super::*;
    use crate::origins::{Datum, Pointers};

    const CUTS: [Cut; 4] = [
        Cut { exports: &[], needs: &[] },
        Cut { exports: &["late"], needs: &[] },
        Cut { exports: &["beside"], needs: &[] },
        Cut { exports: &["last"], needs: &[1, 2] },
    ];

    /// `early` calls `helper`; `late` calls `helper` and has a pointer to `pointed`, which lies in the data at 16. `late`
    /// and `beside` call `both`, `beside` and `last` call `two`.
    fn module() -> Vec<u8> {
        let mut module = Module::default();
        let memory = module.memories.add_local(false, false, 1, None, None);
        let mut function = |name: &str, callees: &[FunctionId]| {
            let mut builder = FunctionBuilder::new(&mut module.types, &[], &[ValType::I32]);
            builder.name(name.to_owned());
            let mut body = builder.func_body();
            for callee in callees {
                body.call(*callee).drop();
            }
            body.i32_const(1);
            builder.finish(Vec::new(), &mut module.funcs)
        };
        let helper = function("helper", &[]);
        let pointed = function("pointed", &[]);
        let both = function("both", &[]);
        let two = function("two", &[]);
        let early = function("early", &[helper]);
        let late = function("late", &[helper, both]);
        let beside = function("beside", &[both, two]);
        let last = function("last", &[two]);
        for (name, id) in [("early", early), ("late", late), ("beside", beside), ("last", last)] {
            module.exports.add(name, id);
        }
        let table = module.tables.add_local(false, 4, None, RefType::FUNCREF);
        let kind = ElementKind::Active { table, offset: number(1) };
        let element = module.elements.add(kind, ElementItems::Functions(vec![helper, pointed]));
        module.tables.get_mut(table).elem_segments.insert(element);
        let data = module.data.add(DataKind::Active { memory, offset: number(8) }, vec![7; 16]);
        module.memories.get_mut(memory).data_segments.insert(data);
        module.emit_wasm()
    }

    fn origins() -> Origins {
        let datum = Datum { addresses: 16..20, pointers: Pointers { slots: vec![2], data: Vec::new() } };
        let of_late = Pointers { slots: Vec::new(), data: vec![0] };
        let names = ["helper", "pointed", "both", "two", "early", "late", "beside", "last"];
        let names = names.map(str::to_owned).into();
        Origins { functions: [("late".to_owned(), of_late)].into(), data: vec![datum], names }
    }

    fn parts() -> Vec<Module> {
        let parts = split(&module(), &origins(), &CUTS).expect("the module can be split");
        parts.iter().map(|part| parse(part).expect("a part is a module")).collect()
    }

    fn data(module: &Module) -> usize {
        module.data.iter().map(|data| data.value.len()).sum()
    }

    #[test]
    fn the_first_part_needs_nothing_and_a_later_one_what_is_before_it() {
        let [first, second, ..] = &parts()[..] else { panic!("four parts") };
        assert_eq!(first.imports.iter().count(), 0);
        assert!(second.imports.iter().all(|import| import.module == BEFORE));
        let exports: Vec<_> = second.exports.iter().map(|export| export.name.as_str()).collect();
        assert_eq!(exports, ["late"]);
    }

    #[test]
    fn a_part_of_another_build_does_not_find_all_that_it_imports() {
        let missing = |module: &[u8]| {
            let [first, ..] = &parts()[..] else { panic!("four parts") };
            let exports: HashSet<_> = first.exports.iter().map(|export| &export.name).collect();
            let [_, second, ..] = &split(module, &origins(), &CUTS).expect("it can be split")[..] else {
                panic!("four parts")
            };
            let second = parse(second).expect("a part is a module");
            second.imports.iter().filter(|import| !exports.contains(&import.name)).count()
        };
        assert_eq!(missing(&module()), 0);
        let mut other = module();
        let data = other.windows(16).position(|octets| octets == [7; 16]).expect("it has data");
        other.splice(data..data + 16, [8; 16]);
        assert_eq!(missing(&other), 1);
    }

    #[test]
    fn a_function_that_the_linker_did_not_name_is_an_error() {
        let mut origins = origins();
        origins.names.remove("helper");
        assert!(split(&module(), &origins, &CUTS).unwrap_err().contains("`helper`"));
    }

    #[test]
    fn what_two_parts_share_lies_in_one_that_the_other_needs_or_else_in_the_first() {
        let own = |module: &Module| module.funcs.iter_local().count();
        assert_eq!(parts().iter().map(own).collect::<Vec<_>>(), [3, 2, 2, 1]);
    }

    #[test]
    fn what_only_a_pointer_reaches_goes_with_the_pointer() {
        let [first, second, ..] = &parts()[..] else { panic!("four parts") };
        assert_eq!((data(first), data(second)), (12, 4));
        assert_eq!(slots(second).into_keys().collect::<Vec<_>>(), [2]);
    }
}
