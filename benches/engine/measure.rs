//! How two things are compared, and how the table is written.

use std::time::Instant;

/// One line of the table.
pub struct Row {
    figure: String,
    value: String,
    /// What it is measured against, and its value.
    base: Option<(String, String)>,
    ratio: Option<f64>,
    target: Option<String>,
    met: Option<bool>,
}

impl Row {
    /// A figure on its own.
    pub fn alone(figure: impl Into<String>, value: impl Into<String>) -> Row {
        Row { figure: figure.into(), value: value.into(), base: None, ratio: None, target: None, met: None }
    }

    pub fn judged(self, target: impl Into<String>, met: bool) -> Row {
        Row { target: Some(target.into()), met: Some(met), ..self }
    }

    /// A ratio without a limit.
    pub fn ratio(figure: impl Into<String>, base: &str, found: &Compared) -> Row {
        let row = Row::alone(figure, format!("{:.0} ns", found.ours));
        Row { base: Some((base.to_owned(), format!("{:.0} ns", found.base))), ratio: Some(found.ratio), ..row }
    }

    /// A ratio that shall not exceed `limit`.
    pub fn limited(figure: impl Into<String>, base: &str, found: &Compared, limit: f64) -> Row {
        let met = found.ratio <= limit;
        Row::ratio(figure, base, found).judged(format!("{limit:.2}"), met)
    }
}

/// Medians of a comparison, in nanoseconds a call.
pub struct Compared {
    pub base: f64,
    pub ours: f64,
    /// The median of the turns' ratios.
    pub ratio: f64,
}

/// How often: turns, and calls in each.
#[derive(Clone, Copy)]
pub struct Effort {
    pub turns: usize,
    pub calls: usize,
}

impl Effort {
    pub const fn of(short: bool) -> Effort {
        if short { Effort { turns: 3, calls: 50 } } else { Effort { turns: 201, calls: 2_000 } }
    }
}

/// Nanoseconds a call.
pub fn time(calls: usize, call: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed().as_nanos() as f64 / calls as f64
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures both in turns. Which one begins changes from turn to turn.
pub fn compare(effort: Effort, base: &mut dyn FnMut(), ours: &mut dyn FnMut()) -> Compared {
    let (mut bases, mut mine, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    time(effort.calls, base);
    time(effort.calls, ours);
    for turn in 0..effort.turns {
        let (one, two) = if turn % 2 == 0 {
            let one = time(effort.calls, base);
            (one, time(effort.calls, ours))
        } else {
            let two = time(effort.calls, ours);
            (time(effort.calls, base), two)
        };
        bases.push(one);
        mine.push(two);
        ratios.push(two / one);
    }
    Compared { base: median(&mut bases), ours: median(&mut mine), ratio: median(&mut ratios) }
}

/// The table as text.
pub fn table(rows: &[Row]) -> String {
    let mut lines = vec![["figure", "measured", "against", "", "ratio", "target", ""].map(str::to_owned)];
    for row in rows {
        let (against, base) = row.base.clone().unwrap_or_default();
        lines.push([
            row.figure.clone(),
            row.value.clone(),
            against,
            base,
            row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            row.target.clone().unwrap_or_default(),
            row.met.map_or("", |met| if met { "met" } else { "NOT MET" }).to_owned(),
        ]);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..7).map(width).collect();
    let written = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 2 | 6 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    written.collect::<Vec<_>>().join("\n")
}
