//! What code, tests and pages cite is there: the page, and in it the section, step, property or heading.
//!
//! A citation is a path from the root of the checkout (on a page also one from its own folder) and what follows it:
//! `section 2, step 7`, `sections 2 and 3`, `S6, S7`, `"What always holds"`. A property alone (`S7`) is one of
//! `docs/design/protocol.md`; on the pages of `docs/design` a section alone is one of the page itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use regex::Regex;

use super::tracked;

const PROPERTIES: &str = "docs/design/protocol.md";

/// Files that cite, by the ends of their names; without one: scripts and the Makefile.
const ENDS: [&str; 14] =
    ["env", "json", "md", "patch", "py", "rs", "sh", "snap", "story", "toml", "tpl", "txt", "yaml", "yml"];

/// Names of pages that are no citations: what a test compares a page with.
const NOT_CITED: [(&str, &str); 1] = [("common/src/config/reference.rs", "configuration.md")];

/// The cases below cite what is not there.
const THIS: &str = "tests/tests/workspace/citations.rs";

static PAGE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\w./:~-]*\w\.md\b"));
/// A source file as pages name it, from the root.
static SOURCE: LazyLock<Regex> = LazyLock::new(|| pattern(r"`(\w[\w./-]*/[\w-]+\.(?:rs|py|toml))`"));
static PROPERTY: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[SL][0-9]+\b"));
static SECTION: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[Ss]ections? [0-9]"));

/// What comes between a page and what is cited of it, or between two of these.
static BETWEEN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[`)*]{0,2}(?:\]\([^)]*\))?(?:,|;)?(?: (?:and|or|to) | |-|–)"));
static PART: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"^(?:(?P<kind>[Ss]ection|[Ss]tep|[Rr]ule)(?P<several>s?) (?P<first>[0-9]+)|(?P<more>[0-9]+)|(?P<property>[SL][0-9]+)|"(?P<heading>[^"]{2,80})")"#,
    )
});
static MARKER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[ \t]*(?://[/!]?|#+!?|\* |\{\{- /\*|--)?[ \t]*"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("it is a pattern")
}

/// What of a page is cited.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Section(u32),
    /// A step or a rule, counted in a section.
    Step(u32, u32),
    Property(String),
    Heading(String),
}

/// What can be cited of a page.
#[derive(Debug, Default)]
struct Page {
    /// Each with its numbered steps.
    sections: BTreeMap<u32, BTreeSet<u32>>,
    properties: BTreeSet<String>,
    headings: BTreeSet<String>,
    /// What links may name after `#`.
    anchors: BTreeSet<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let section = pattern(r"^## ([0-9]+)\. ");
        let step = pattern(r"^([0-9]+)\. ");
        let property = pattern(r"^\| (?:<a id=[^>]*></a>)?([SL][0-9]+) \|");
        let anchor = pattern(r#"<a id="([^"]+)">"#);
        let bold = pattern(r"\*\*([^*]+?)\.?\*\*");
        let mut page = Self::default();
        let mut current = 0;
        for line in text.lines() {
            if let Some(found) = section.captures(line) {
                current = number(&found[1]);
                assert!(page.sections.insert(current, BTreeSet::new()).is_none(), "section {current} is there twice");
            } else if let Some(found) = step.captures(line) {
                page.sections.entry(current).or_default().insert(number(&found[1]));
            } else if let Some(found) = property.captures(line) {
                assert!(page.properties.insert(found[1].to_owned()), "{} is there twice", &found[1]);
            }
            if line.starts_with('#') {
                let heading = line.trim_start_matches('#').trim();
                page.anchors.insert(slug(heading));
                page.headings.insert(heading.to_owned());
            }
            page.headings.extend(bold.captures_iter(line).map(|found| found[1].to_owned()));
            page.anchors.extend(anchor.captures_iter(line).map(|found| found[1].to_owned()));
        }
        page
    }

    fn has(&self, part: &Part) -> bool {
        match part {
            Part::Section(number) => self.sections.contains_key(number),
            Part::Step(section, step) => self.sections.get(section).is_some_and(|steps| steps.contains(step)),
            Part::Property(name) => self.properties.contains(name),
            Part::Heading(name) => self.headings.contains(name),
        }
    }
}

fn number(digits: &str) -> u32 {
    digits.parse().expect("the pattern lets digits pass")
}

/// The anchor that GitHub gives to a heading.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// A text whose lines were put together, without the signs of comments, so that what is broken over two is found.
struct Joined {
    text: String,
    /// Where each line begins.
    begins: Vec<usize>,
}

impl Joined {
    fn of(file: &str, text: &str) -> Self {
        let is_patch = file.ends_with(".patch");
        let mut joined = Self { text: String::new(), begins: Vec::new() };
        for line in text.lines() {
            joined.begins.push(joined.text.len());
            let line = if is_patch { line.strip_prefix(['+', '-', ' ']).unwrap_or(line) } else { line };
            joined.text.push_str(MARKER.replace(line, "").trim_end());
            joined.text.push(' ');
        }
        joined
    }

    fn line(&self, at: usize) -> usize {
        self.begins.partition_point(|begin| *begin <= at)
    }
}

/// What follows the name of a page, as far as it is cited.
fn parts(mut rest: &str) -> Vec<Part> {
    let mut found = Vec::new();
    let mut section = 0;
    // Whether numbers that follow are sections or steps; after a singular there are none.
    let mut list = None;
    while let Some(between) = BETWEEN.find(rest) {
        let through = between.as_str().trim_end().ends_with(['-', '–']) || between.as_str() == " to ";
        rest = &rest[between.end()..];
        let Some(part) = PART.captures(rest) else { break };
        rest = &rest[part[0].len()..];
        let mut steps = part.name("kind").is_some_and(|kind| !kind.as_str().to_lowercase().starts_with("sec"));
        let digits = match (part.name("first"), part.name("more"), list) {
            (Some(first), ..) => {
                list = (!part["several"].is_empty()).then_some(steps);
                first.as_str()
            }
            (None, Some(more), Some(of_steps)) => {
                steps = of_steps;
                more.as_str()
            }
            (None, Some(_), None) => break,
            (None, None, _) => {
                list = None;
                match part.name("property") {
                    // As in "section 4 of it, and S8": where it follows something else it stands alone.
                    Some(_) if found.last().is_some_and(|last| !matches!(last, Part::Property(_))) => break,
                    Some(name) if through => found.extend(range(found.last(), name.as_str())),
                    Some(name) => found.push(Part::Property(name.as_str().to_owned())),
                    None => found.push(Part::Heading(part["heading"].to_owned())),
                }
                continue;
            }
        };
        let digits = number(digits);
        if steps {
            found.push(Part::Step(section, digits));
        } else {
            section = digits;
            found.push(Part::Section(digits));
        }
    }
    found
}

/// `S1 to S4`, of which the first is there.
fn range(first: Option<&Part>, last: &str) -> Vec<Part> {
    let (letter, end) = last.split_at(1);
    let begin = match first {
        Some(Part::Property(name)) if name.starts_with(letter) => number(&name[1..]),
        _ => number(end) - 1,
    };
    (begin + 1..=number(end)).map(|each| Part::Property(format!("{letter}{each}"))).collect()
}

/// What is wrong with the citations of a text.
fn mistakes(file: &str, text: &str, pages: &BTreeMap<String, Page>) -> Vec<String> {
    let joined = Joined::of(file, text);
    let mut wrong = Vec::new();
    let mut complain = |at, what: String| wrong.push(format!("{file}:{}: {what}", joined.line(at)));
    let mut explained = BTreeSet::new();
    for cited in PAGE.find_iter(&joined.text) {
        let (name, rest) = (cited.as_str(), &joined.text[cited.end()..]);
        // What a link is called is free; where it leads is looked at.
        let is_called = joined.text[..cited.start()].ends_with('[') && rest.starts_with("](");
        if is_called || name.contains(':') || NOT_CITED.contains(&(file, name)) {
            continue;
        }
        explained.extend(SECTION.find(rest).filter(|next| next.start() < 8).map(|next| cited.end() + next.start()));
        let Some((path, page)) = resolve(file, name, pages) else {
            complain(cited.start(), format!("there is no page `{name}`"));
            continue;
        };
        let anchor = rest.strip_prefix('#').map(|rest| rest.split([')', '"', '`', ' ']).next().unwrap_or_default());
        if let Some(anchor) = anchor.filter(|anchor| !page.anchors.contains(*anchor)) {
            complain(cited.start(), format!("`{path}` has no anchor `{anchor}`"));
        }
        for part in parts(rest).iter().filter(|part| !page.has(part)) {
            complain(cited.start(), format!("`{path}` has no {part:?}"));
        }
    }
    let properties = pages.get(PROPERTIES).map(|page| &page.properties);
    for named in PROPERTY.find_iter(&joined.text) {
        if !properties.is_some_and(|known| known.contains(named.as_str())) {
            complain(named.start(), format!("`{PROPERTIES}` has no property {}", named.as_str()));
        }
    }
    if let Some(page) = pages.get(file).filter(|_| file.starts_with("docs/design/")) {
        for section in SECTION.find_iter(&joined.text).filter(|section| !explained.contains(&section.start())) {
            let rest = format!(" {}", &joined.text[section.start()..]);
            for part in parts(&rest).iter().filter(|part| !page.has(part)) {
                complain(section.start(), format!("the page itself has no {part:?}"));
            }
        }
    }
    wrong
}

/// The source files that a page names and that are not there.
fn missing_sources(text: &str, is_there: impl Fn(&str) -> bool) -> Vec<&str> {
    let named = SOURCE.captures_iter(text).filter_map(|found| Some(found.get(1)?.as_str()));
    named.filter(|name| !is_there(name)).collect()
}

/// The page of a name: from the root, for programs that read it from their own folder, and on a page from its folder.
fn resolve<'a>(file: &str, name: &str, pages: &'a BTreeMap<String, Page>) -> Option<(&'a String, &'a Page)> {
    let from_here = |folder: &str| {
        let mut path = PathBuf::new();
        for step in Path::new(folder).join(name).components() {
            match step {
                Component::ParentDir => _ = path.pop(),
                other => path.push(other),
            }
        }
        pages.get_key_value(path.to_string_lossy().as_ref())
    };
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_page = file.ends_with(".md") || name.starts_with("../");
    // `concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md")`
    pages
        .get_key_value(name.strip_prefix("/../").unwrap_or(name))
        .or_else(|| is_page.then(|| from_here(folder)).flatten())
}

/// Whether a file cites, by the end of its name.
fn may_cite(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    last.rsplit_once('.').is_none_or(|(_, end)| ENDS.contains(&end))
}

#[test]
fn every_citation_is_of_something_that_is_there() {
    let files = tracked(may_cite);
    let pages: BTreeMap<_, _> = files
        .iter()
        .filter(|(name, _)| name.ends_with(".md"))
        .map(|(name, text)| (name.clone(), Page::read(text)))
        .collect();
    let mut cited = 0;
    let mut wrong = Vec::new();
    for (name, text) in files.iter().filter(|(name, _)| name != THIS) {
        cited += text.matches("docs/design/").count();
        wrong.extend(mistakes(name, text, &pages));
    }
    let names: BTreeSet<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    for (name, text) in files.iter().filter(|(name, _)| pages.contains_key(name)) {
        let missing = missing_sources(text, |source| names.contains(source));
        wrong.extend(missing.into_iter().map(|source| format!("{name}: there is no file `{source}`")));
    }
    assert!(cited > 50, "{cited} citations were found; the files are not those of the repository");
    assert!(wrong.is_empty(), "{} wrong citations:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_model_of_the_protocol_holds() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/design/protocol.py");
    let output = Command::new("python3").arg(model).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run `python3` ({error}): `dev/packages --install`"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("violating though repaired: none"), "{said}");
}

#[test]
fn the_model_of_the_protocol_knows_what_goes_wrong_without_a_rule() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/design/protocol.py");
    let output = Command::new("python3").args([model, "recreate-nouid"]).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run `python3` ({error}): `dev/packages --install`"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("fence PATCH hit the re-created namespace"), "{said}");
}

/// The mistakes of a text in a repository of two pages.
#[track_caller]
fn check(file: &str, text: &str, expected: &[&str]) {
    let protocol = "# Protocol\n<a id=\"section-1\"></a>\n## 1. Properties\n| <a id=\"s1\"></a>S1 | a |\n| S2 | b |\n| L1 | c |\n\
                    ## 2. Steps\n1. **Load** it\n2. **Send** it\n\n**Notices.** They come first.\n";
    let pages: BTreeMap<_, _> = [
        (PROPERTIES.to_owned(), Page::read(protocol)),
        ("ARCHITECTURE.md".to_owned(), Page::read("# A\n\n## What always holds\n\n1. a\n")),
        (file.to_owned(), Page::read(text)),
    ]
    .into_iter()
    .filter(|(name, _)| name.ends_with(".md"))
    .collect();
    assert_eq!(mistakes(file, text, &pages), expected, "{text}");
}

#[test]
fn what_is_there_may_be_cited() {
    for text in [
        "/// It holds (docs/design/protocol.md S1), and 7 others.",
        "// docs/design/protocol.md section 2, step 2",
        "// docs/design/protocol.md section 2, \"Notices\": they come first",
        "// docs/design/protocol.md sections 1 and 2, or S1, S2 and L1",
        "// docs/design/protocol.md section 2, 7 of them",
        "// S1 to S2 of docs/design/protocol.md",
        "# ARCHITECTURE.md \"What always holds\"",
        "//! It is long (docs/design/protocol.md section\n//! 2, step 1).",
        "let page = read(\"/../ARCHITECTURE.md\", \"text\");",
        "// https://example.org/section.md section 9",
    ] {
        check("a/src/b.rs", text, &[]);
    }
    check("README.md", "[protocol.md](docs/design/protocol.md)", &[]);
    check("docs/design/other.md", "[it](protocol.md#section-1), [they](../../ARCHITECTURE.md#what-always-holds)", &[]);
    check("docs/design/other.md", "## 1. One\nsections 1 and 1, RFC\n", &[]);
}

#[test]
fn what_is_missing_is_named() {
    let wrong = |text: &str, what: &str| check("a.rs", text, &[&format!("a.rs:{what}")]);
    wrong("// docs/design/people.md", "1: there is no page `docs/design/people.md`");
    wrong("//\n// (safety.md S1)", "2: there is no page `safety.md`");
    wrong("// Safety.md S1", "1: there is no page `Safety.md`");
    wrong("// lifecycle.md section 4", "1: there is no page `lifecycle.md`");
    wrong("// protocol.md section 2", "1: there is no page `protocol.md`");
    wrong("// docs/design/protocol.md section 3", "1: `docs/design/protocol.md` has no Section(3)");
    wrong("// docs/design/protocol.md sections 1, 2 and 4", "1: `docs/design/protocol.md` has no Section(4)");
    wrong("// docs/design/protocol.md section 2, steps 1 and 3", "1: `docs/design/protocol.md` has no Step(2, 3)");
    wrong("// ARCHITECTURE.md \"What holds\"", "1: `ARCHITECTURE.md` has no Heading(\"What holds\")");
    wrong("// a\n/// docs/design/protocol.md section\n/// 5", "2: `docs/design/protocol.md` has no Section(5)");
    wrong("assert!(true, \"S3\");", "1: `docs/design/protocol.md` has no property S3");
}

#[test]
fn what_is_missing_is_named_in_lists_patches_and_pages() {
    check(
        "tests/mutants/01-a.patch",
        "# bug: a\n+// docs/design/protocol.md\n+// S2, L7\n",
        &[
            "tests/mutants/01-a.patch:2: `docs/design/protocol.md` has no Property(\"L7\")",
            "tests/mutants/01-a.patch:3: `docs/design/protocol.md` has no property L7",
        ],
    );
    check(
        "docs/other.md",
        "[it](design/protocol.md#section-9)",
        &["docs/other.md:1: `docs/design/protocol.md` has no anchor `section-9`"],
    );
    check(
        "docs/design/other.md",
        "## 1. One\nas in section 2\n",
        &["docs/design/other.md:2: the page itself has no Section(2)"],
    );
}

#[test]
fn a_source_file_that_a_page_names_is_there() {
    let text = "As in `a/src/b.rs`, `a/src/c.rs` and `b.rs`.";
    assert_eq!(missing_sources(text, |name| name == "a/src/b.rs"), ["a/src/c.rs"]);
}

#[test]
fn what_follows_a_page_is_read_as_far_as_it_is_cited() {
    let property = |name: &str| Part::Property(name.to_owned());
    assert_eq!(parts(" S6, S7), or of"), [property("S6"), property("S7")]);
    assert_eq!(parts(" S1–S3."), [property("S1"), property("S2"), property("S3")]);
    assert_eq!(parts(" S9 to S10: a"), [property("S9"), property("S10")]);
    assert_eq!(parts(" section 4, and S8: a"), [Part::Section(4)]);
    assert_eq!(parts(" section 4, rule 1)"), [Part::Section(4), Part::Step(4, 1)]);
    assert_eq!(parts(" section 4, rules 1–3"), [Part::Section(4), Part::Step(4, 1), Part::Step(4, 3)]);
    assert_eq!(
        parts("` sections 2 and 3, \"Notices\""),
        [2, 3].map(Part::Section).into_iter().chain([Part::Heading("Notices".to_owned())]).collect::<Vec<_>>()
    );
    assert!(parts("\"), \"yaml\"").is_empty());
    assert!(parts(" says 5").is_empty());
}
