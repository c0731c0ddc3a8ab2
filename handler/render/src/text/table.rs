//! A table for a terminal.

use crate::clean::clean;

/// Widest column but the last.
const WIDEST: usize = 40;
/// Longest last cell.
const LONGEST: usize = 160;

/// Rows under their headings: columns as wide as their widest cell, the last one as long as it is. Nothing in a cell can
/// drive the terminal or begin a new row.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let headings = headings.map(str::to_owned);
    let lines: Vec<[String; N]> = std::iter::once(&headings)
        .chain(rows)
        .map(|row| std::array::from_fn(|at| cell(row.get(at), at + 1 == N)))
        .collect();
    let width = |at: usize| {
        let cells = lines.iter().filter_map(|line| line.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cell(text: Option<&String>, is_last: bool) -> String {
    let text = clean(text.map_or("", String::as_str));
    let most = if is_last { LONGEST } else { WIDEST };
    if text.chars().count() <= most {
        return text;
    }
    let start: String = text.chars().take(most - 1).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 3]) -> [String; 3] {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_are_aligned_and_long_cells_end_in_dots() {
        let long = "x".repeat(200);
        let text = table(
            ["A", "BB", "C"],
            &[row(["aaa", "ü", "c"]), row([&long, "b", &long])],
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let start = |line: &str, mark: char| line.chars().position(|c| c == mark);
        assert_eq!(start(lines[0], 'B'), start(lines[1], 'ü'));
        assert_eq!(start(lines[1], 'ü'), start(lines[2], 'b'));
        assert_eq!(lines[2].chars().filter(|c| *c == '…').count(), 2);
        assert_eq!(lines[2].chars().count(), 40 + 2 + 2 + 2 + 160);
    }

    #[test]
    fn a_cell_cannot_drive_the_terminal_or_begin_a_row() {
        let text = table(
            ["A", "B", "C"],
            &[row(["a\nBLOCKED", "\u{1b}[2J", "c\u{202e}"])],
        );
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
}
