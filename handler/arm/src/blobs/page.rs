//! One page of a container's list: the XML of List Blobs.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// Elements in one another; a list needs five.
const DEEPEST: usize = 16;

/// A blob, as a list names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobItem {
    /// Its name.
    pub name: String,
    /// Changes with each write; empty where the list does not say.
    pub etag: String,
}

/// A page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) blobs: Vec<BlobItem>,
    /// Where the next page begins.
    pub(super) next: Option<String>,
}

/// Reads a page. The error says in a few words what is wrong with it.
pub(super) fn read(body: &[u8]) -> Result<Page, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "the list is not UTF-8")?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut path: Vec<String> = Vec::new();
    let mut page = Page::default();
    let mut marker = String::new();
    let mut complete = false;
    loop {
        match reader.read_event().map_err(|_| "the list is not XML")? {
            Event::Start(start) => {
                if path.len() >= DEEPEST {
                    return Err("the list is nested too deep");
                }
                path.push(start.name().0.to_owned());
                if is(&path, BLOB) {
                    page.blobs.push(BlobItem::default());
                }
            }
            Event::End(_) => {
                complete |= is(&path, ROOT);
                path.pop();
            }
            Event::Text(text) => add(&path, &mut page, &mut marker, &text),
            Event::CData(text) => add(&path, &mut page, &mut marker, &text),
            Event::GeneralRef(entity) => {
                let character = entity.resolve_char_ref().map_err(|_| "a wrong character")?;
                if let Some(character) = character {
                    add(
                        &path,
                        &mut page,
                        &mut marker,
                        character.encode_utf8(&mut [0; 4]),
                    );
                } else {
                    let known = resolve_xml_entity(&entity).ok_or("an unknown entity")?;
                    add(&path, &mut page, &mut marker, known);
                }
            }
            // An empty list is all that may be said in short.
            Event::DocType(_) => return Err("a document type, which no list has"),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if !complete || !path.is_empty() {
        return Err("not a list of blobs, or not to its end");
    }
    page.next = Some(marker).filter(|marker| !marker.is_empty());
    Ok(page)
}

const ROOT: &[&str] = &["EnumerationResults"];
const NEXT: &[&str] = &["EnumerationResults", "NextMarker"];
const BLOB: &[&str] = &["EnumerationResults", "Blobs", "Blob"];
const NAME: &[&str] = &["EnumerationResults", "Blobs", "Blob", "Name"];
const ETAG: &[&str] = &["EnumerationResults", "Blobs", "Blob", "Properties", "Etag"];

fn is(path: &[String], wanted: &[&str]) -> bool {
    path.iter().map(String::as_str).eq(wanted.iter().copied())
}

fn add(path: &[String], page: &mut Page, marker: &mut String, text: &str) {
    if is(path, NEXT) {
        marker.push_str(text);
    } else if let Some(blob) = page.blobs.last_mut() {
        if is(path, NAME) {
            blob.name.push_str(text);
        } else if is(path, ETAG) {
            blob.etag.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, etag: &str) -> BlobItem {
        BlobItem {
            name: name.to_owned(),
            etag: etag.to_owned(),
        }
    }

    #[test]
    fn names_tags_and_the_next_marker_are_read() {
        let text = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\
            <EnumerationResults ServiceEndpoint=\"https://st.blob.core.windows.net/\" ContainerName=\"egress-fleet\">\
            <MaxResults>2</MaxResults><Blobs>\
            <Blob><Name>a.json</Name><Properties><Content-Length>9</Content-Length><Etag>0x8D1</Etag></Properties></Blob>\
            <Blob><Name>b&amp;&#x63;.json</Name><Properties><Etag>&quot;2&quot;</Etag></Properties><OrMetadata /></Blob>\
            <BlobPrefix><Name>folder/</Name></BlobPrefix>\
            </Blobs><NextMarker>2!88!x--</NextMarker></EnumerationResults>";
        let page = read(text.as_bytes()).unwrap();
        assert_eq!(
            page.blobs,
            [item("a.json", "0x8D1"), item("b&c.json", "\"2\"")]
        );
        assert_eq!(page.next.as_deref(), Some("2!88!x--"));
    }

    #[test]
    fn the_last_page_has_no_marker() {
        for end in ["<NextMarker/>", "<NextMarker></NextMarker>", ""] {
            let text = format!("<EnumerationResults><Blobs/>{end}</EnumerationResults>");
            assert_eq!(read(text.as_bytes()), Ok(Page::default()), "{end}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused_and_never_taken_for_an_empty_one() {
        let deep = format!("<EnumerationResults>{}", "<a>".repeat(1_000_000));
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>\
                    <EnumerationResults><Blobs><Blob><Name>&b;</Name></Blob></Blobs></EnumerationResults>";
        for text in [
            "",
            "{}",
            "<html><body>Sign in</body></html>",
            "<EnumerationResults/>",
            "<EnumerationResults><Blobs><Blob><Name>a</Name>",
            "<EnumerationResults><Blobs></EnumerationResults>",
            "<EnumerationResults><Blobs><Blob><Name>&other;</Name></Blob></Blobs></EnumerationResults>",
            "<EnumerationResults><Blobs><Blob><Name>&#xd800;</Name></Blob></Blobs></EnumerationResults>",
            "<Error><Code>AuthenticationFailed</Code></Error>",
            bomb,
            &deep,
        ] {
            let shown: String = text.chars().take(80).collect();
            assert!(read(text.as_bytes()).is_err(), "{shown}");
        }
        assert!(read(b"<EnumerationResults>\xff</EnumerationResults>").is_err());
    }
}
