// SPDX-License-Identifier: BSD-2-Clause
//! A picture of what a job costs by its number of BOs, by its number of words, among many clients
//! and among many BOs.
//!
//! The one thing to know: the upper two panels show privileged arm64 instructions of a whole job
//! in guests (guest.rs), of both systems; the lower two show instructions of the kernel module's
//! crates on this machine (profile.rs), which there is no peer for.

use crate::guest::{Job, Run, LARGER};
use crate::profile::{Series, CLIENTS, OBJECTS};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{register_font, FontStyle};
use std::error::Error;
use std::ops::Range;

/// Width and height of the picture.
pub const SIZE: (u32, u32) = (1120, 840);

/// The name that the font is registered with.
const FONT: &str = "sans-serif";

/// What was counted in guests with one board.
pub struct Guests {
    /// The board's name.
    pub board: String,
    /// The stock driver on Linux.
    pub stock: Run,
    /// Ours on FreeBSD.
    pub ours: Option<Run>,
}

/// A line of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it shows.
    pub name: String,
    /// Which colour of [`COLOURS`].
    colour: usize,
    /// Points of ours are filled.
    ours: bool,
    /// Numbers, and instructions.
    pub points: Vec<(f64, f64)>,
}

/// One of the four parts of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    title: &'static str,
    x: &'static str,
    y: &'static str,
    /// Whether the axis of numbers is logarithmic.
    logarithmic: bool,
    /// The lines.
    pub lines: Vec<Line>,
}

/// Of boards, in the order of [`BOARDS`].
const COLOURS: [RGBColor; 2] = [RGBColor(0x1b, 0x5e, 0xa8), RGBColor(0xc4, 0x4e, 0x10)];

/// A board with a colour: its name, and the BOs and words of the smallest job of `submits`
/// (tests/guest/clients).
const BOARDS: [(&str, u32, u32); 2] = [("rk3399", 2, 0), ("imx8mq", 1, 30)];

/// How many more BOs, and words, the jobs of `submits` have, and their marks: 0 for the smallest.
const MORE_BOS: [(u32, u32); 4] = [(0, 0), (8, 0x31), (32, 0x11), (128, 0x41)];
const MORE_WORDS: [(u32, u32); 4] = [(0, 0), (500, 0x51), (2000, 0x21), (8000, 0x61)];

fn job(run: &Run, mark: u32) -> Option<Job> {
    match LARGER.iter().position(|(tag, _)| *tag == mark) {
        Some(at) => run.larger[at],
        None => (mark == 0).then_some(run.one),
    }
}

/// The points of a run. A board without larger jobs of a kind has none.
fn points(run: &Run, base: u32, more: &[(u32, u32)]) -> Vec<(f64, f64)> {
    let measured = more.iter().filter_map(|(n, mark)| {
        let whole = job(run, *mark)?.whole.all;
        Some((f64::from(base + n), whole as f64))
    });
    let points: Vec<_> = measured.collect();
    if points.len() > 1 {
        points
    } else {
        Vec::new()
    }
}

/// The panels, of what is there.
pub fn panels(guests: &[Guests], series: &[Series]) -> [Panel; 4] {
    let [mut bos, mut words, mut clients, mut objects] = [(); 4].map(|()| Vec::new());
    for (colour, (board, least_bos, least_words)) in BOARDS.into_iter().enumerate() {
        let line = |to: &mut Vec<Line>, whose: &str, points: Vec<(f64, f64)>| {
            let name = format!("{board}{whose}");
            let ours = whose != ", Linux 6.1";
            if !points.is_empty() {
                to.push(Line {
                    name,
                    colour,
                    ours,
                    points,
                });
            }
        };
        for guest in guests.iter().filter(|guest| guest.board == board) {
            let runs = [
                (Some(&guest.stock), ", Linux 6.1"),
                (guest.ours.as_ref(), ", ours"),
            ];
            for (run, whose) in runs {
                let Some(run) = run else { continue };
                line(&mut bos, whose, points(run, least_bos, &MORE_BOS));
                line(&mut words, whose, points(run, least_words, &MORE_WORDS));
            }
        }
        for one in series {
            let points = one.costs.iter().map(|(n, cost)| (f64::from(*n), *cost));
            match one.name.strip_suffix(board).map(str::trim_end) {
                Some(CLIENTS) => line(&mut clients, "", points.collect()),
                Some(OBJECTS) => line(&mut objects, "", points.collect()),
                _ => {}
            }
        }
    }
    let guest = "privileged arm64 instructions";
    let host = "x86-64 instructions of our crates";
    let host = if cfg!(target_arch = "x86_64") {
        host
    } else {
        "instructions of our crates"
    };
    let panel = |title, x, y, lines| Panel {
        title,
        x,
        y,
        logarithmic: y == host,
        lines,
    };
    [
        panel("A job by its BOs (guests)", "BOs of the job", guest, bos),
        panel(
            "A job by its words (guests)",
            "words of the command stream",
            guest,
            words,
        ),
        panel(
            "A job among clients (host)",
            "clients that take turns",
            host,
            clients,
        ),
        panel(
            "A job among live BOs (host)",
            "other BOs of the client",
            host,
            objects,
        ),
    ]
}

/// From the least to the greatest, and some room on both sides; 0 to 1 without points.
fn range(values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let (least, most) = (values.clone().reduce(f64::min), values.reduce(f64::max));
    let (least, most) = least.zip(most).unwrap_or((0.0, 1.0));
    let room = (most - least) / 20.0;
    least - room..most + room
}

type Fallible<T> = Result<T, Box<dyn Error>>;
type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

fn draw(area: &Area<'_>, panel: &Panel) -> Fallible<()> {
    let place = |(x, y): (f64, f64)| (if panel.logarithmic { x.log2() } else { x }, y);
    let all = panel
        .lines
        .iter()
        .flat_map(|line| &line.points)
        .copied()
        .map(place);
    let xs = range(all.clone().map(|(x, _)| x));
    // From 0, so that what is flat looks so, and with room for the names of the lines.
    let most = all.map(|(_, y)| y).fold(1.0, f64::max);
    let mut builder = ChartBuilder::on(area);
    builder
        .caption(panel.title, (FONT, 20))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(42)
        .y_label_area_size(78);
    let mut chart = builder.build_cartesian_2d(xs, 0.0..most * 1.3)?;
    chart
        .configure_mesh()
        .x_desc(panel.x)
        .y_desc(panel.y)
        .axis_desc_style((FONT, 15))
        .label_style((FONT, 13))
        .x_label_formatter(&|x| match panel.logarithmic {
            true => format!("{}", x.exp2()),
            false => format!("{x}"),
        })
        .y_label_formatter(&|y| format!("{y}"))
        .light_line_style(WHITE)
        .bold_line_style(BLACK.mix(0.12))
        .draw()?;
    for Line {
        name,
        colour,
        ours,
        points,
    } in &panel.lines
    {
        let (colour, ours) = (COLOURS[*colour], *ours);
        let line = colour.mix(if ours { 1.0 } else { 0.5 }).stroke_width(2);
        let point = move |at: (i32, i32)| {
            let style = if ours {
                colour.filled()
            } else {
                colour.mix(0.6).stroke_width(2)
            };
            Circle::new(at, 4, style)
        };
        chart
            .draw_series(LineSeries::new(points.iter().copied().map(place), line))?
            .label(name)
            .legend(move |(x, y)| {
                EmptyElement::at((x, y))
                    + PathElement::new(vec![(0, 0), (22, 0)], line)
                    + point((11, 0))
            });
        chart.draw_series(
            points
                .iter()
                .map(|at| EmptyElement::at(place(*at)) + point((0, 0))),
        )?;
    }
    if panel.lines.is_empty() {
        let (width, height) = area.dim_in_pixel();
        let at = (width as i32 / 2 - 40, height as i32 / 2);
        area.draw_text("not measured", &(FONT, 15).into_text_style(area), at)?;
        return Ok(());
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .legend_area_size(30)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .label_font((FONT, 14))
        .draw()?;
    Ok(())
}

/// The picture as a PNG file has it, with a TrueType font.
///
/// # Errors
/// The font is none; what cannot be drawn.
pub fn picture(panels: &[Panel; 4], font: Vec<u8>) -> Fallible<Vec<u8>> {
    register_font(FONT, FontStyle::Normal, font.leak()).map_err(|_| "not a TrueType font")?;
    let (width, height) = SIZE;
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, panel) in root.split_evenly((2, 2)).iter().zip(panels) {
            draw(area, panel)?;
        }
        root.present()?;
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Best);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::Cost;

    fn of(all: u64) -> Job {
        Job {
            whole: Cost { all, module: 1 },
            ..Job::default()
        }
    }

    /// A run whose larger jobs cost 1000 for the first of [`LARGER`], 2000 for the second, ...
    fn run() -> Run {
        let mut run = Run {
            one: of(10),
            ..Run::default()
        };
        for (n, job) in (1..).zip(&mut run.larger) {
            *job = Some(of(n * 1000));
        }
        run
    }

    #[test]
    fn points_are_those_of_the_marks() {
        let mut stock = run();
        let series = Series {
            name: "clients imx8mq".into(),
            costs: vec![(1, 5.0)],
        };
        let guests = |stock| {
            [Guests {
                board: "imx8mq".into(),
                stock,
                ours: None,
            }]
        };
        let [bos, words, clients, objects] = panels(&guests(stock), std::slice::from_ref(&series));
        assert_eq!(bos.lines.len(), 1);
        let expected = [(1.0, 10.0), (9.0, 4000.0), (33.0, 1000.0), (129.0, 5000.0)];
        assert_eq!(bos.lines[0].points, expected);
        let expected = [
            (30.0, 10.0),
            (530.0, 6000.0),
            (2030.0, 3000.0),
            (8030.0, 7000.0),
        ];
        assert_eq!(words.lines[0].points, expected);
        assert_eq!(clients.lines[0].points, [(1.0, 5.0)]);
        assert!(objects.lines.is_empty());
        stock.larger = [None; LARGER.len()];
        let [bos, ..] = panels(&guests(stock), &[series]);
        assert!(bos.lines.is_empty(), "one point is no line");
    }

    #[test]
    fn what_is_no_font_is_refused() {
        let panels = panels(&[], &[]);
        assert!(picture(&panels, vec![0; 100]).is_err());
    }
}
