//! The text formats of metrics, and which of them a scraper asks for.
//!
//! Prometheus says in `Accept` which formats it reads, and which it likes better. Who says nothing of OpenMetrics, such as a
//! browser or an old scraper, gets the classic format, which everybody reads.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use prometheus_client::{encoding::text::encode, registry::Registry};

/// A text format of metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4 of Prometheus.
    #[default]
    Classic,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Its media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What is registered, as it is now.
    ///
    /// # Panics
    /// Never: a string takes whatever is written to it.
    #[must_use]
    pub fn encode(self, registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).expect("a string takes whatever is written to it");
        match self {
            Self::Classic => classic(&text),
            Self::OpenMetrics => text,
        }
    }

    /// The answer to a scraper, with a text in this format.
    #[must_use]
    pub fn answer(self, text: String) -> Response {
        ([(header::CONTENT_TYPE, self.content_type()), (header::VARY, "accept")], text).into_response()
    }

    /// The format to answer with: OpenMetrics where it is named and nothing of the classic format is liked better
    /// (RFC 9110 section 12.5.1). What cannot be read is passed over; who reads neither format gets the classic one.
    fn accepted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<_> = values.flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
        let weight = |format| {
            let of_format = ranges.iter().filter_map(|range| Some((range.precision(format)?, range.weight)));
            of_format.max_by_key(|(precision, _)| *precision).map_or(0.0, |(_, weight)| weight)
        };
        let open_metrics = weight(Self::OpenMetrics);
        if open_metrics > 0.0 && open_metrics >= weight(Self::Classic) { Self::OpenMetrics } else { Self::Classic }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Format {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::accepted(&parts.headers))
    }
}

/// One of the ranges of media types in `Accept`.
struct Range {
    /// In lower case: `text/plain`, `text/*` or `*/*`.
    types: String,
    version: Option<String>,
    /// Between 0, never, and 1.
    weight: f32,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
        let mut range = Self { types: parts.next()?, version: None, weight: 1.0 };
        for part in parts {
            match part.split_once('=') {
                Some(("version", version)) => range.version = Some(version.trim_matches('"').to_owned()),
                Some(("q", weight)) => {
                    range.weight = weight.parse().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
                }
                Some(_) | None => {}
            }
        }
        Some(range)
    }

    /// How exactly it names a format; `None`: it does not cover it. OpenMetrics has to be named.
    fn precision(&self, format: Format) -> Option<u8> {
        let (precision, version) = match (format, self.types.as_str()) {
            (Format::Classic, "*/*") => (0, "0.0.4"),
            (Format::Classic, "text/*") => (1, "0.0.4"),
            (Format::Classic, "text/plain") => (2, "0.0.4"),
            (Format::OpenMetrics, "application/openmetrics-text") => (2, "1.0.0"),
            (Format::Classic | Format::OpenMetrics, _) => return None,
        };
        match self.version.as_deref() {
            None => Some(precision),
            Some(asked) => (asked == version).then_some(precision + 1),
        }
    }
}

/// OpenMetrics in the classic format, in which the name of a family is that of its samples, and which knows no units and no end.
/// There are no exemplars in it.
fn classic(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    // It stands before the type, which says what the family is called.
    let mut help = None;
    for line in open_metrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.extend([line, "\n"]);
            continue;
        };
        match comment.splitn(3, ' ').collect::<Vec<_>>()[..] {
            ["HELP", _, words] => help = Some(words),
            ["TYPE", name, kind] => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    _ => ("", kind),
                };
                if let Some(help) = help.take() {
                    text.extend(["# HELP ", name, suffix, " ", help, "\n"]);
                }
                text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
            }
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use prometheus_client::{
        metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
        registry::Unit,
    };

    use super::*;

    #[track_caller]
    fn gets(accept: &[&str], format: Format) {
        let headers = accept.iter().map(|value| (header::ACCEPT, value.parse().unwrap())).collect();
        assert_eq!(Format::accepted(&headers), format, "{accept:?}");
    }

    #[test]
    fn who_names_nothing_gets_the_classic_format() {
        gets(&[], Format::Classic);
        gets(&[""], Format::Classic);
        gets(&["*/*"], Format::Classic);
        gets(&["application/*"], Format::Classic);
        gets(&["application/json"], Format::Classic);
        gets(&["text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"], Format::Classic);
    }

    #[test]
    fn prometheus_gets_what_it_likes_best() {
        // 2.42
        let accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        gets(&[accept], Format::OpenMetrics);
        // 3.0
        let accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                      application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                      text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        gets(&[accept], Format::OpenMetrics);
        // Where native histograms are scraped.
        let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
                      application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        gets(&[accept], Format::OpenMetrics);
        // With `scrape_protocols: [PrometheusText0.0.4]`.
        gets(&["text/plain;version=0.0.4;q=0.5,*/*;q=0.4"], Format::Classic);
        gets(&["text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4"], Format::Classic);
        // 2.5 knows the draft alone.
        gets(
            &["application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"],
            Format::Classic,
        );
    }

    #[test]
    fn a_weight_counts() {
        gets(&["application/openmetrics-text"], Format::OpenMetrics);
        gets(&["application/openmetrics-text;q=0"], Format::Classic);
        gets(&["application/openmetrics-text;q=0.000"], Format::Classic);
        gets(&["application/openmetrics-text;q=0.4,*/*;q=0.5"], Format::Classic);
        gets(&["application/openmetrics-text;q=0.5,text/plain;q=0.5"], Format::OpenMetrics);
        gets(&["text/plain,application/openmetrics-text;q=0.9"], Format::Classic);
        // Of several that cover a format, the one that names it most exactly.
        gets(&["text/*;q=0.9,text/plain;q=0.1,application/openmetrics-text;q=0.5"], Format::OpenMetrics);
        gets(&["application/openmetrics-text,application/openmetrics-text;version=1.0.0;q=0"], Format::Classic);
        gets(&["text/plain;version=1.0.0,application/openmetrics-text;q=0.1"], Format::OpenMetrics);
    }

    #[test]
    fn it_may_be_written_in_any_way() {
        gets(&["Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=1"], Format::OpenMetrics);
        gets(&["text/plain;q=0.2", "application/openmetrics-text"], Format::OpenMetrics);
        gets(&[",, ;q=1, application/openmetrics-text,"], Format::OpenMetrics);
        for malformed in ["", "high", "nan", "-1", "1.5", "inf"] {
            gets(&[&format!("application/openmetrics-text;q={malformed}")], Format::Classic);
        }
    }

    #[test]
    fn every_kind_of_family_is_declared_as_each_format_does() {
        let mut registry = Registry::default();
        let (hits, depth) = (Family::<Vec<(&str, &str)>, Counter>::default(), Gauge::<i64>::default());
        hits.get_or_create(&vec![("path", "a \"b\" \\ c\n# TYPE d e")]).inc_by(2);
        depth.set(-3);
        registry.register("hits", "Hits of all", hits);
        registry.register("depth", "How deep", depth);
        registry.register_with_unit("waited", "How long", Unit::Seconds, Counter::<u64>::default());
        registry.register("took", "How long", Histogram::new([0.5]));
        registry.register("build", "What it is", Info::new(vec![("version", "1")]));

        let open_metrics = "# HELP hits Hits of all.\n# TYPE hits counter\n\
            hits_total{path=\"a \\\"b\\\" \\\\ c\\n# TYPE d e\"} 2\n\
            # HELP depth How deep.\n# TYPE depth gauge\ndepth -3\n\
            # HELP waited_seconds How long.\n# TYPE waited_seconds counter\n# UNIT waited_seconds seconds\n\
            waited_seconds_total 0\n\
            # HELP took How long.\n# TYPE took histogram\n\
            took_sum 0.0\ntook_count 0\ntook_bucket{le=\"0.5\"} 0\ntook_bucket{le=\"+Inf\"} 0\n\
            # HELP build What it is.\n# TYPE build info\nbuild_info{version=\"1\"} 1\n# EOF\n";
        assert_eq!(Format::OpenMetrics.encode(&registry), open_metrics);
        let classic = "# HELP hits_total Hits of all.\n# TYPE hits_total counter\n\
            hits_total{path=\"a \\\"b\\\" \\\\ c\\n# TYPE d e\"} 2\n\
            # HELP depth How deep.\n# TYPE depth gauge\ndepth -3\n\
            # HELP waited_seconds_total How long.\n# TYPE waited_seconds_total counter\nwaited_seconds_total 0\n\
            # HELP took How long.\n# TYPE took histogram\n\
            took_sum 0.0\ntook_count 0\ntook_bucket{le=\"0.5\"} 0\ntook_bucket{le=\"+Inf\"} 0\n\
            # HELP build_info What it is.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n";
        assert_eq!(Format::Classic.encode(&registry), classic);
        assert_eq!(Format::Classic.encode(&Registry::default()), "");
    }
}
