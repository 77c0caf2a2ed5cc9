//! No two files of a crate lean on each other, not even by way of others: who reads a file downwards never comes back to
//! it. This reads the `use` lines and the paths in the text of each crate's sources; tests may look at anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates that are looked at, and how many files of each may still stand in circles. These figures only ever fall.
const ALLOWED: [(&str, usize); 5] = [("dsp", 0), ("engine", 0), ("audio-io", 0), ("plugin", 0), ("cli", 0)];

/// A module's path without the crate: empty for the root.
type Module = Vec<String>;

#[test]
fn files_do_not_lean_on_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    for (name, allowed) in ALLOWED {
        let circles = circles(&edges(&sources(&root.join(name).join("src"))));
        let files: usize = circles.iter().map(BTreeSet::len).sum();
        if files < allowed {
            eprintln!("{name}: {files} files stand in circles; the allowance of {allowed} can be lowered");
        }
        if files > allowed {
            wrong.push(format!("{name}: {files} files in circles, {allowed} allowed: {circles:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_circle_is_found_whichever_way_it_is_written() {
    let source = |module: &str, text: &str| (path(module), text.to_owned());
    let found = |sources: &[(Module, String)]| circles(&edges(&sources.iter().cloned().collect()));
    let plain =
        [source("", "mod a; pub use a::A;"), source("a", "struct A;"), source("b", "use crate::a::A;")];
    assert!(found(&plain).is_empty());
    for back in [
        "use crate::b::B;",
        "use crate::{b::{self, B}, c};",
        "use super::b::B as Other;",
        "fn f() { crate::b::g() }",
        "pub(crate) use super::b;",
    ] {
        let circle = [source("", ""), source("a", back), source("b", "use crate::a::A;"), source("c", "")];
        assert_eq!(found(&circle), [BTreeSet::from(["a".into(), "b".into()])], "{back}");
    }
    let by_root = [source("", "pub use a::A;"), source("a", "use crate::B;"), source("b", "")];
    assert_eq!(found(&by_root).len(), 1, "what leans on the root leans on everything the root names");
    let harmless = [
        source("a", "// use crate::b::B;\n#[cfg(test)]\n#[allow(x)]\nmod tests {\nuse crate::b::B;\n}"),
        source("b", "use crate::a::A;"),
    ];
    assert!(found(&harmless).is_empty(), "comments and tests do not count");
    let below = "#[cfg(test)]\nmod tests;\nuse crate::b::B;";
    let circle = [source("a", below), source("b", "use crate::a::A;")];
    assert_eq!(found(&circle).len(), 1, "what stands below a named module of tests counts");
}

fn path(module: &str) -> Module {
    module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Every module that is a file, with its text as far as it counts.
fn sources(folder: &Path) -> BTreeMap<Module, String> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<(PathBuf, Module)> = vec![(folder.to_owned(), Module::new())];
    while let Some((folder, module)) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let child: Module = module.iter().cloned().chain([stem.clone()]).collect();
            if path.is_dir() && stem != "tests" {
                folders.push((path, child));
            } else if path.extension().is_some_and(|extension| extension == "rs") && !stem.ends_with("tests")
            {
                let module =
                    if ["lib", "main", "mod"].contains(&stem.as_str()) { module.clone() } else { child };
                found.insert(module, fs::read_to_string(&path).expect("a source"));
            }
        }
    }
    found
}

/// Which modules each one names.
fn edges(sources: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let named = |module: &Module, text: &str| {
        let text = without_comments_and_tests(text);
        let (uses, rest) = use_trees(&text);
        let mut paths: Vec<Vec<String>> = uses.iter().flat_map(|tree| expand(tree)).collect();
        paths.extend(inline_paths(&rest, module, sources));
        let resolved = paths.iter().filter_map(|path| resolve(path, module, sources));
        resolved.filter(|target| target != module).collect()
    };
    sources.iter().map(|(module, text)| (module.clone(), named(module, text))).collect()
}

fn without_comments_and_tests(text: &str) -> String {
    let mut code = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            // A module in the file itself ends it, one in a file of its own is named anywhere.
            let item = lines.by_ref().find(|line| !line.starts_with("#[")).unwrap_or_default();
            let is_module = item.split_whitespace().any(|word| word == "mod");
            if is_module && item.ends_with('{') {
                break;
            }
        } else {
            code.push(line.split("//").next().unwrap_or_default());
        }
    }
    code.join("\n")
}

/// The trees of all `use` items, and the text without them.
fn use_trees(text: &str) -> (Vec<String>, String) {
    let (mut trees, mut rest) = (Vec::new(), String::new());
    let mut left = text;
    while let Some(at) = left.find("use ") {
        // Only where an item can begin: sentences in strings also have the word in them.
        let before = left[..at].rsplit('\n').next().unwrap_or_default().trim();
        let begins_item = before.is_empty() || before == "pub" || before.starts_with("pub(");
        let end = left[at..].find(';').map_or(left.len(), |end| at + end);
        rest.push_str(&left[..at]);
        if begins_item {
            trees.push(left[at + 4..end].split_whitespace().collect::<Vec<_>>().join(" "));
            left = &left[end..];
        } else {
            left = &left[at + 4..];
        }
    }
    rest.push_str(left);
    (trees, rest)
}

/// `a::{b, c::d as e}` as paths.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let Some(open) = tree.find('{') else {
        let plain = tree.split(" as ").next().unwrap_or_default();
        return vec![
            plain.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect(),
        ];
    };
    let prefix = path(tree[..open].trim());
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let under = |part: &&str| expand(part.trim()).into_iter().map(|path| [prefix.clone(), path].concat());
    parts.iter().filter(|part| !part.trim().is_empty()).flat_map(under).collect()
}

/// Paths from `crate`, `super` or a module below this one in running code.
fn inline_paths(text: &str, module: &Module, sources: &BTreeMap<Module, String>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let below = sources.keys().filter_map(|other| other.strip_prefix(&module[..])?.first());
    let below: BTreeSet<String> = below.map(|name| format!("{name}::")).collect();
    for start in below.iter().map(String::as_str).chain(["crate::", "super::"]) {
        for (at, _) in text.match_indices(start) {
            let whole =
                text[..at].chars().last().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':');
            let end = text[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
            if whole {
                found.push(path(&text[at..end.map_or(text.len(), |end| at + end)]));
            }
        }
    }
    found
}

/// The file that a path leads to; `None` when it leads out of the crate.
fn resolve(path: &[String], module: &Module, sources: &BTreeMap<Module, String>) -> Option<Module> {
    let mut place = match path.first()?.as_str() {
        "crate" => Module::new(),
        "self" | "super" => module.clone(),
        first => {
            let child: Module = module.iter().cloned().chain([first.to_owned()]).collect();
            sources.contains_key(&child).then(|| module.clone())?
        }
    };
    let steps = if ["crate", "self"].contains(&path[0].as_str()) { &path[1..] } else { path };
    for step in steps {
        match step.as_str() {
            "super" => drop(place.pop()),
            name => {
                let child: Module = place.iter().cloned().chain([name.to_owned()]).collect();
                if !sources.contains_key(&child) {
                    break;
                }
                place = child;
            }
        }
    }
    Some(place)
}

/// Groups of modules each of which reaches all the others.
fn circles(edges: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<BTreeSet<String>> {
    let reach = |from: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = open.pop() {
            for next in edges.get(&module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        edges.keys().map(|module| (module, reach(module))).collect();
    let mut groups = BTreeSet::new();
    for (module, mine) in &reached {
        let returns = |other: &&Module| reached.get(*other).is_some_and(|theirs| theirs.contains(*module));
        let group: BTreeSet<String> = mine.iter().filter(returns).map(|module| module.join("::")).collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}
