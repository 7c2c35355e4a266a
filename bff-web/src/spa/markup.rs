//! Finds the scripts and styles of a page, as far as its policy needs it. It reads what a build has written, not what a
//! stranger has.

/// What a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Script,
    Style,
}

/// One start tag and what it encloses, as ranges of the page.
struct Found<'a> {
    element: Element,
    /// Where the name of the start tag ends.
    name_end: usize,
    attributes: &'a str,
    content: &'a str,
}

/// The places right after the names of the start tags of scripts and styles that have no nonce of their own.
pub(super) fn places_for_nonce(html: &str) -> Vec<usize> {
    let without = elements(html).filter(|found| !has_attribute(found.attributes, "nonce"));
    without.map(|found| found.name_end).collect()
}

/// The scripts and styles whose content is in the page. Data blocks, which no browser runs, are left out.
pub(super) fn inline_elements(html: &str) -> impl Iterator<Item = (Element, &str)> {
    let inline = elements(html).filter(|found| match found.element {
        Element::Script => !has_attribute(found.attributes, "src") && is_run(found.attributes),
        Element::Style => true,
    });
    inline.map(|found| (found.element, found.content))
}

fn elements(html: &str) -> impl Iterator<Item = Found<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(offset) = html.get(at..)?.find('<') {
            let start = at + offset;
            let rest = &html[start..];
            if rest.starts_with("<!--") {
                at = start + rest.find("-->")? + 3;
                continue;
            }
            let Some((element, name)) = [(Element::Script, "script"), (Element::Style, "style")]
                .into_iter()
                .find(|(_, name)| is_start_tag(rest, name))
            else {
                at = start + 1;
                continue;
            };
            let name_end = start + 1 + name.len();
            let attributes_end = name_end + html[name_end..].find('>')?;
            let content_start = attributes_end + 1;
            let content = &html[content_start..];
            // Inside of a script or a style nothing is markup but its own end.
            let length = find_ignoring_case(content, &format!("</{name}")).unwrap_or(content.len());
            at = content_start + length;
            let attributes = &html[name_end..attributes_end];
            return Some(Found { element, name_end, attributes, content: &content[..length] });
        }
        None
    })
}

fn is_start_tag(text: &str, name: &str) -> bool {
    let Some(found) = text.get(1..=name.len()) else { return false };
    let ends = text[1 + name.len()..].starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/');
    found.eq_ignore_ascii_case(name) && ends
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes().windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

fn has_attribute(attributes: &str, name: &str) -> bool {
    names_and_values(attributes).any(|(found, _)| found.eq_ignore_ascii_case(name))
}

/// Whether a browser runs a script of this type (HTML section 4.12.1).
fn is_run(attributes: &str) -> bool {
    let kind = names_and_values(attributes).find(|(name, _)| name.eq_ignore_ascii_case("type")).map(|(_, kind)| kind);
    kind.is_none_or(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.is_empty()
            || ["module", "importmap", "speculationrules"].contains(&kind.as_str())
            || kind.contains("javascript")
    })
}

fn names_and_values(attributes: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = attributes;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
        let Some(value) = after.trim_start().strip_prefix('=') else {
            rest = after;
            return Some((name, ""));
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote)?,
            _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
        };
        rest = after;
        Some((name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_and_styles_of_a_page_are_found_and_nothing_else_is() {
        let html = "<!-- <script>no</script> --><SCRIPT type=module src='a.js'></SCRIPT><scripted></scripted>\
                    <script>\"<style>\"</script><style media=\"print\">b</style><script nonce=\"x\">c</script>\
                    <script type=\"application/json\">{}</script>";
        let inline: Vec<_> = inline_elements(html).collect();
        assert_eq!(inline, [(Element::Script, "\"<style>\""), (Element::Style, "b"), (Element::Script, "c")]);
        let tags = places_for_nonce(html).into_iter().map(|end| html[..end].rsplit('<').next().unwrap_or_default());
        assert_eq!(tags.collect::<Vec<_>>(), ["SCRIPT", "script", "style", "script"]);
    }

    #[test]
    fn a_page_that_breaks_off_is_read_to_its_end() {
        for html in ["<", "<script", "<script src", "<script>", "<!--", "<style>a", "<script a='"] {
            let _ = (places_for_nonce(html), inline_elements(html).count());
        }
    }
}
