//! The papers name tests as proof; here their names are looked up.

use std::{fs, path::Path};

use mirrorscope_tests::workspace_root;

#[test]
fn a_test_stands_behind_every_defence_that_is_claimed() {
    let paper = fs::read_to_string(workspace_root().join(".github/SECURITY.md")).expect("it is there");
    let mut code = String::new();
    for folder in ["core", "agent/src", "wasm/src", "tests"] {
        read_all(&workspace_root().join(folder), &mut code);
    }
    // A test's name is a sentence, no other name between backticks has so many words.
    let is_name = |text: &&str| text.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let is_sentence = |text: &&str| text.matches('_').count() >= 3;
    let named: Vec<&str> = paper.split('`').skip(1).step_by(2).filter(is_name).filter(is_sentence).collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

fn read_all(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).expect("it is there").flatten() {
        let path = entry.path();
        let is_ours = !path.ends_with("target") && !path.ends_with("node_modules");
        if path.is_dir() && is_ours {
            read_all(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(&path).expect("it is text"));
        }
    }
}
