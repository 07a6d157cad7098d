//! Plots as SVG: bars with intervals, stacked bars, lines over time. Text that stands in a page or in a file of its own.
//!
//! Nothing is fetched and nothing is run: shapes, and text in whatever sans-serif font the reader has. What is ink takes the
//! colour of the text around it, so that a plot reads in light and in dark; the other colours stand out from both. Labels may
//! come from clients: they are cut, and escaped by the library.

use plotters::prelude::{
    Color, IntoDrawingArea, IntoFont, PathElement, RGBColor, Rectangle, SVGBackend, Text, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::measure::stats::Interval;

/// A plot's width, in its own units; it is shown as wide as there is room.
const WIDTH: i32 = 720;
/// The height of a bar with the space to the next one.
const ROW: i32 = 26;
/// The height of the bar.
const THICK: i32 = 16;
/// Between what is drawn and the edge.
const MARGIN: i32 = 10;
/// The height of a line plot between its axes.
const HEIGHT: i32 = 220;
/// The size of text.
const LETTERS: i32 = 15;
/// The most characters of a label.
const LABEL: usize = 40;
/// The most bars, or points of a line.
const MOST: usize = 2000;

/// Stands for the colour of the text around.
const INK: RGBColor = RGBColor(1, 2, 3);
const INK_WRITTEN: &str = "#010203";

/// The colours of series, in this order: three to one or better against white and against near black.
pub const COLOURS: [(u8, u8, u8); 8] = [
    (70, 130, 205),
    (205, 115, 35),
    (60, 150, 95),
    (200, 80, 140),
    (130, 110, 215),
    (205, 75, 70),
    (40, 145, 165),
    (140, 125, 60),
];

/// A plot that could not be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plot can not be drawn: {0}")]
pub struct PlotError(String);

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    Count,
    /// A share of 0 to 1, as percent.
    Share,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// A value for people.
    #[must_use]
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Count => number(value),
            Self::Share => format!("{} %", number(value * 100.0)),
            Self::Seconds => format!("{} s", number(value)),
        }
    }
}

/// A number with about three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => {
            format!("{:.3}", value / 1e6)
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
                + " M"
        }
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it stands for.
    pub label: String,
    /// How long it is; less than nothing is drawn to the left.
    pub value: f64,
    /// From where to where it may be.
    pub interval: Option<Interval>,
}

/// A bar of parts, one for each series.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// What it stands for.
    pub label: String,
    /// Its parts, not less than nothing.
    pub parts: Vec<f64>,
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it stands for.
    pub label: String,
    /// Seconds since 1970 UTC, and the value there.
    pub points: Vec<(f64, f64)>,
}

/// Horizontal bars, the first on top, each with its interval if it has one.
///
/// # Errors
///
/// When the library can not draw; no data makes it so.
pub fn bars(unit: Unit, bars: &[Bar]) -> Result<String, PlotError> {
    let bars = bars.get(..MOST).unwrap_or(bars);
    let ends = bars.iter().flat_map(|bar| {
        let interval = bar
            .interval
            .map_or([bar.value; 2], |one| [one.low, one.high]);
        [bar.value, interval[0], interval[1]]
    });
    let across = Across::new(ends, bars.iter().map(|bar| bar.label.as_str()));
    let height = rows(bars.len()) + 2 * MARGIN + ROW;
    draw(height, |canvas| {
        across.grid(canvas, unit, rows(bars.len()))?;
        for (row, bar) in (0..).zip(bars) {
            let middle = MARGIN + row * ROW + ROW / 2;
            across.label(canvas, &bar.label, middle)?;
            canvas.rectangle((across.at(0.0), across.at(bar.value)), middle, colour(0))?;
            let mut end = across.at(bar.value.max(0.0));
            if let Some(interval) = bar.interval {
                let (low, high) = (across.at(interval.low), across.at(interval.high));
                canvas.line(&[(low, middle), (high, middle)], INK, 0.9)?;
                for x in [low, high] {
                    canvas.line(&[(x, middle - 4), (x, middle + 4)], INK, 0.9)?;
                }
                end = end.max(high);
            }
            canvas.text(&unit.text(bar.value), (end + 6, middle), HPos::Left)?;
        }
        Ok(())
    })
}

/// Horizontal bars whose parts lie behind each other, with a legend.
///
/// # Errors
///
/// As [`bars`].
pub fn stacked(unit: Unit, series: &[&str], stacks: &[Stack]) -> Result<String, PlotError> {
    let stacks = stacks.get(..MOST).unwrap_or(stacks);
    let sums = stacks.iter().map(|stack| stack.parts.iter().sum());
    let across = Across::new(sums, stacks.iter().map(|stack| stack.label.as_str()));
    let legend = legend_rows(series);
    let height = rows(stacks.len()) + 2 * MARGIN + ROW + legend * ROW;
    draw(height, |canvas| {
        across.grid(canvas, unit, rows(stacks.len()))?;
        for (row, stack) in (0..).zip(stacks) {
            let middle = MARGIN + row * ROW + ROW / 2;
            across.label(canvas, &stack.label, middle)?;
            let mut sum = 0.0;
            for (at, part) in stack.parts.iter().enumerate() {
                let from = across.at(sum);
                sum += part.max(0.0);
                canvas.rectangle((from, across.at(sum)), middle, colour(at))?;
            }
        }
        canvas.legend(series, rows(stacks.len()) + MARGIN + ROW)
    })
}

/// Lines over time, with a legend.
///
/// # Errors
///
/// As [`bars`].
pub fn lines(unit: Unit, lines: &[Line]) -> Result<String, PlotError> {
    let labels: Vec<&str> = lines.iter().map(|line| line.label.as_str()).collect();
    let points = || lines.iter().flat_map(|line| line.points.iter().take(MOST));
    let (first, last) = span(points().map(|point| point.0));
    let highest = points().map(|point| point.1).fold(0.0, f64::max);
    let step = step(highest, 4);
    let top = if step > 0.0 {
        (highest / step).ceil() * step
    } else {
        1.0
    };
    let left = 70;
    let place = |(time, value): (f64, f64)| {
        let wide = f64::from(WIDTH - left - 2 * MARGIN);
        let along = if last > first {
            (time - first) / (last - first)
        } else {
            0.5
        };
        let x = left + rounded(along * wide);
        let y = MARGIN + HEIGHT - rounded(value.max(0.0) / top * f64::from(HEIGHT));
        (x, y)
    };
    let bottom = MARGIN + HEIGHT;
    let height = bottom + ROW + legend_rows(&labels) * ROW + MARGIN;
    draw(height, |canvas| {
        for tick in ticks(0.0, top, step) {
            let (_, y) = place((first, tick));
            canvas.line(&[(left, y), (WIDTH - 2 * MARGIN, y)], INK, 0.15)?;
            canvas.text(&unit.text(tick), (left - 6, y), HPos::Right)?;
        }
        let days = last - first > 2.0 * 86_400.0;
        for part in 0..5 {
            let time = first + (last - first) * f64::from(part) / 4.0;
            let (x, _) = place((time, 0.0));
            let anchor = match part {
                0 => HPos::Left,
                4 => HPos::Right,
                _ => HPos::Center,
            };
            canvas.text(&moment(time, days), (x, bottom + 12), anchor)?;
        }
        for (at, line) in lines.iter().enumerate() {
            let points: Vec<(i32, i32)> = line
                .points
                .iter()
                .take(MOST)
                .map(|point| place(*point))
                .collect();
            canvas.thick_line(&points, colour(at))?;
        }
        canvas.legend(&labels, bottom + ROW)
    })
}

/// Where values lie from left to right, beside their labels.
struct Across {
    left: i32,
    right: i32,
    low: f64,
    high: f64,
    step: f64,
}

impl Across {
    fn new<'l>(values: impl Iterator<Item = f64>, labels: impl Iterator<Item = &'l str>) -> Self {
        let longest = labels
            .map(|label| label.chars().count().min(LABEL))
            .max()
            .unwrap_or_default();
        let left = 2 * MARGIN + i32::try_from(longest).unwrap_or_default() * 7;
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((0.0_f64, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let step = step(high - low, 5);
        let (low, high) = match step > 0.0 {
            true => ((low / step).floor() * step, (high / step).ceil() * step),
            false => (0.0, 1.0),
        };
        // Room for the value behind the longest bar.
        Self {
            left,
            right: WIDTH - 80,
            low,
            high,
            step,
        }
    }

    fn at(&self, value: f64) -> i32 {
        let along = (value.clamp(self.low, self.high) - self.low) / (self.high - self.low);
        self.left + rounded(along * f64::from(self.right - self.left))
    }

    fn grid(&self, canvas: &Canvas<'_>, unit: Unit, bottom: i32) -> Result<(), PlotError> {
        let bottom = bottom + MARGIN;
        for tick in ticks(self.low, self.high, self.step) {
            let x = self.at(tick);
            let ink = if tick == 0.0 { 0.6 } else { 0.15 };
            canvas.line(&[(x, MARGIN), (x, bottom)], INK, ink)?;
            canvas.text(&unit.text(tick), (x, bottom + 12), HPos::Center)?;
        }
        Ok(())
    }

    fn label(&self, canvas: &Canvas<'_>, label: &str, middle: i32) -> Result<(), PlotError> {
        canvas.text(&cut(label), (self.left - 8, middle), HPos::Right)
    }
}

type Area<'a> = plotters::drawing::DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// What is drawn on.
struct Canvas<'a>(Area<'a>);

impl Canvas<'_> {
    fn put<E>(&self, element: &E) -> Result<(), PlotError>
    where
        for<'b> &'b E: plotters::element::PointCollection<'b, (i32, i32)>,
        for<'b> E: plotters::element::Drawable<SVGBackend<'b>>,
    {
        self.0
            .draw(element)
            .map_err(|error| PlotError(error.to_string()))
    }

    fn line(&self, points: &[(i32, i32)], colour: RGBColor, ink: f64) -> Result<(), PlotError> {
        self.put(&PathElement::new(points.to_vec(), colour.mix(ink)))
    }

    fn thick_line(&self, points: &[(i32, i32)], colour: RGBColor) -> Result<(), PlotError> {
        self.put(&PathElement::new(points.to_vec(), colour.stroke_width(2)))
    }

    fn rectangle(
        &self,
        (from, to): (i32, i32),
        middle: i32,
        colour: RGBColor,
    ) -> Result<(), PlotError> {
        let corners = [
            (from.min(to), middle - THICK / 2),
            (from.max(to), middle + THICK / 2),
        ];
        self.put(&Rectangle::new(corners, colour.filled()))
    }

    fn text(&self, text: &str, place: (i32, i32), anchor: HPos) -> Result<(), PlotError> {
        let style = TextStyle::from(("sans-serif", LETTERS).into_font())
            .pos(Pos::new(anchor, VPos::Center))
            .color(&INK);
        self.put(&Text::new(text.to_owned(), place, style))
    }

    fn legend(&self, labels: &[&str], top: i32) -> Result<(), PlotError> {
        for (at, (row, left)) in legend_places(labels).into_iter().enumerate() {
            let middle = top + row * ROW + ROW / 2;
            let corners = [(left, middle - 6), (left + 12, middle + 6)];
            self.put(&Rectangle::new(corners, colour(at).filled()))?;
            let label = labels.get(at).copied().unwrap_or_default();
            self.text(&cut(label), (left + 18, middle), HPos::Left)?;
        }
        Ok(())
    }
}

/// Draws a picture that is so high.
fn draw(
    height: i32,
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
    {
        let canvas = Canvas(SVGBackend::with_string(&mut svg, size).into_drawing_area());
        paint(&canvas)?;
        canvas
            .0
            .present()
            .map_err(|error| PlotError(error.to_string()))?;
    }
    Ok(svg.replace(INK_WRITTEN, "currentColor"))
}

fn colour(at: usize) -> RGBColor {
    let colour = COLOURS.get(at % COLOURS.len());
    colour.map_or(INK, |(red, green, blue)| RGBColor(*red, *green, *blue))
}

fn rows(count: usize) -> i32 {
    i32::try_from(count).unwrap_or_default() * ROW
}

/// Row and left edge of each label of a legend.
fn legend_places(labels: &[&str]) -> Vec<(i32, i32)> {
    let (mut row, mut left) = (0, MARGIN);
    let mut places = Vec::with_capacity(labels.len());
    for label in labels {
        let wide = 34 + i32::try_from(label.chars().count().min(LABEL)).unwrap_or_default() * 8;
        if left + wide > WIDTH && left > MARGIN {
            (row, left) = (row + 1, MARGIN);
        }
        places.push((row, left));
        left += wide;
    }
    places
}

fn legend_rows(labels: &[&str]) -> i32 {
    legend_places(labels).last().map_or(0, |(row, _)| row + 1)
}

/// A distance of 1, 2 or 5 times a power of ten, so that about `parts` of them make `whole`; 0 of nothing.
fn step(whole: f64, parts: u8) -> f64 {
    if !whole.is_finite() || whole <= 0.0 {
        return 0.0;
    }
    let least = whole / f64::from(parts);
    let ten = 10.0_f64.powf(least.log10().floor());
    let wide = [1.0, 2.0, 5.0].into_iter().map(|times| times * ten);
    wide.into_iter()
        .find(|step| *step >= least * 0.999)
        .unwrap_or(10.0 * ten)
}

/// At most 20.
fn ticks(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let count = if step > 0.0 {
        rounded((high - low) / step).min(20)
    } else {
        0
    };
    // Through the number of the step, so that zero is zero.
    let first = if step > 0.0 {
        (low / step).round()
    } else {
        0.0
    };
    (0..=count).map(move |at| (first + f64::from(at)) * step)
}

fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low <= high { (low, high) } else { (0.0, 0.0) }
}

/// A whole number, at most so far off that sums of a few are numbers too; 0 of what is none.
fn rounded(value: f64) -> i32 {
    value.round().clamp(-1e6, 1e6) as i32
}

/// A time in UTC: the hour, or the day where there are several.
fn moment(seconds: f64, days: bool) -> String {
    /// The last second of the year 9999, since 1970.
    const LAST: f64 = 253_402_300_799.0;
    let since =
        std::time::Duration::try_from_secs_f64(seconds.clamp(0.0, LAST)).unwrap_or_default();
    let time = std::time::SystemTime::UNIX_EPOCH.checked_add(since);
    let text = time.map(|time| humantime::format_rfc3339_seconds(time).to_string());
    let text = text.unwrap_or_default();
    let part = if days {
        text.get(5..10)
    } else {
        text.get(11..16)
    };
    part.unwrap_or_default().to_owned()
}

fn cut(label: &str) -> String {
    let shown: String = label
        .chars()
        .filter(|letter| !letter.is_control())
        .take(LABEL)
        .collect();
    match label.chars().count() > LABEL {
        true => shown + "…",
        false => shown,
    }
}

#[cfg(test)]
mod tests;
