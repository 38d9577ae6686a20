//! The modules of a crate import each other in one direction: of two that stand beside each other, one is below the other.
//! What stands below a module may use what that module gives to all below it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regex::Regex;

use super::EVERYTHING;

/// What each module imports, by their paths below the crate.
type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// The code of a module, without its comments, and without the tests at its end.
fn code(text: &str) -> String {
    let comments = Regex::new("(?m)//.*$").unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    comments.replace_all(code, "").into_owned()
}

/// The paths of an import, one for each name: `a::{b, c::{self, D}}` is `a::b`, `a::c::self` and `a::c::D`.
fn paths(prefix: &str, tree: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for letter in tree.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(letter);
    }
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts
        .flat_map(|part| match part.split_once('{') {
            Some((before, inner)) => paths(&format!("{prefix}{before}"), inner.trim_end().trim_end_matches('}')),
            None => vec![format!("{prefix}{part}").split_whitespace().next().unwrap().to_owned()],
        })
        .collect()
}

/// The path below the crate that an import of this module names.
fn below_crate(module: &[String], path: &str) -> Vec<String> {
    let mut steps: Vec<_> = path.split("::").map(str::to_owned).collect();
    let mut from = module.to_vec();
    match steps[0].as_str() {
        "crate" => from.clear(),
        "self" => {}
        _ => {
            while steps.first().is_some_and(|step| step == "super") {
                steps.remove(0);
                from.pop();
            }
            return from.into_iter().chain(steps).collect();
        }
    }
    from.into_iter().chain(steps.into_iter().skip(1)).collect()
}

/// The modules of a crate, with what each imports of it. `sources`: the path of each below `src`, and its text.
fn imports(sources: &BTreeMap<String, String>) -> Imports {
    let uses = Regex::new(r"(?m)^\s*(?:pub(?:\([a-z]+\))? )?use ((?:crate|self|super)\b[^;]*);").unwrap();
    let exports = Regex::new(r"(?m)^pub(?:\(crate\))? use (?:self::|crate::)?([a-z_0-9]+::[^;]*);").unwrap();
    let inline = Regex::new(r"\bcrate(?:::[a-z_0-9]+)+").unwrap();
    let steps = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    let of = |file: &str| steps(&file.trim_end_matches(".rs").replace('/', "::"));
    let modules: BTreeSet<_> = sources.keys().map(|file| of(file)).collect();
    // What the crate gives away at its root stands in a module of it.
    let root = sources.get("lib.rs").map(|text| code(text)).unwrap_or_default();
    let given: BTreeMap<_, _> = exports
        .captures_iter(&root)
        .flat_map(|found| paths("", &found[1]))
        .map(|path| (path.rsplit("::").next().unwrap().to_owned(), steps(&path)))
        .collect();
    let is_test =
        |module: &[String]| module.iter().any(|step| step == "tests" || step == "fixture" || step == "fixtures");
    let mut found = Imports::new();
    for (file, text) in sources {
        let module = of(file);
        if is_test(&module) || file == "lib.rs" || file == "main.rs" {
            continue;
        }
        let text = code(text);
        let imported = uses.captures_iter(&text).flat_map(|found| paths("", &found[1])).collect::<Vec<_>>();
        let named = inline.find_iter(&text).map(|found| found.as_str().to_owned());
        for path in imported.into_iter().chain(named) {
            let mut path = below_crate(&module, &path);
            if let [name] = path.as_slice() {
                path = given.get(name).cloned().unwrap_or(path);
            }
            let longest = (1..=path.len()).rev().map(|length| path[..length].to_vec());
            let target = longest.into_iter().find(|path| modules.contains(path));
            found.entry(module.clone()).or_default().extend(target.filter(|target| *target != module));
        }
    }
    found
}

/// The circles among modules that stand beside each other, each as a sentence.
fn circles(imports: &Imports) -> Vec<String> {
    let mut levels = BTreeMap::<Vec<String>, BTreeMap<String, BTreeSet<String>>>::new();
    for (module, targets) in imports {
        for target in targets {
            let shared = module.iter().zip(target).take_while(|(one, other)| one == other).count();
            if let (Some(one), Some(other)) = (module.get(shared), target.get(shared)) {
                let level = levels.entry(module[..shared].to_vec()).or_default();
                level.entry(one.clone()).or_default().insert(other.clone());
            }
        }
    }
    let mut found = Vec::new();
    for (level, beside) in levels {
        for start in beside.keys() {
            let mut reached = BTreeSet::new();
            let mut next: Vec<_> = beside[start].iter().collect();
            while let Some(module) = next.pop() {
                if reached.insert(module) {
                    next.extend(beside.get(module).into_iter().flatten());
                }
            }
            if reached.contains(start) {
                let others: Vec<_> = beside[start].iter().filter(|module| reaches(&beside, module, start)).collect();
                found.push(format!("{}::{start} imports {others:?}, which import it", level.join("::")));
            }
        }
    }
    found
}

fn reaches(beside: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        if module == to {
            return true;
        }
        if reached.insert(module) {
            next.extend(beside.get(module).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

fn read(directory: &Path, prefix: &str, into: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read(&path, &format!("{name}/"), into);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            into.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn modules_import_each_other_in_one_direction() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    for name in EVERYTHING {
        let mut sources = BTreeMap::new();
        read(&root.join(name).join("src"), "", &mut sources);
        wrong.extend(circles(&imports(&sources)).into_iter().map(|circle| format!("{name}: {circle}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let circles_of = |sources: &[(&str, &str)]| {
        let sources = sources.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        circles(&imports(&sources)).len()
    };
    let b = ("b.rs", "use crate::a::A;");
    assert_eq!(circles_of(&[("a.rs", "use crate::b::B;"), b]), 2);
    assert_eq!(circles_of(&[("a.rs", "use crate::{\n    b::{self, B},\n};"), b]), 2);
    assert_eq!(circles_of(&[("a.rs", "fn f() { crate::b::g() }"), b]), 2);
    assert_eq!(circles_of(&[("lib.rs", "pub use b::B;"), ("a.rs", "use crate::B;"), b]), 2, "by what the root gives");
    assert_eq!(circles_of(&[("a.rs", "// use crate::b::B;"), b]), 0);
    assert_eq!(circles_of(&[("a.rs", "#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}"), b]), 0);
    assert_eq!(
        circles_of(&[("a.rs", "use self::x::X;"), ("a/x.rs", "use super::A;")]),
        0,
        "a module and what is below it"
    );
    assert_eq!(circles_of(&[("a/x.rs", "use super::y::Y;"), ("a/y.rs", "use super::x::X;")]), 2);
}
