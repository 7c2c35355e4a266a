//! One flat JSON object a log line: `timestamp`, `level`, `target`, `message`, the event's own fields, and, where they
//! are known, `trace_id`, `span_id` and `request_id`. The stock formatter knows no trace ids.

use std::fmt;

use jiff::Timestamp;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use serde::ser::{SerializeMap, Serializer};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Clock;

const REQUEST_ID: &str = "request_id";
/// Keys that mean something to log collectors; an event's field of that name is written with the prefix `field_`.
const RESERVED: [&str; 6] = ["timestamp", "level", "target", "trace_id", "span_id", REQUEST_ID];

/// Writes events, dated by the clock.
pub(super) struct JsonLines(pub Clock);

impl<S> FormatEvent<S, RequestIdOnly> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, RequestIdOnly>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Vec::with_capacity(512);
        write_line(&mut line, self.0.wall(), event, request_id(context).as_deref()).map_err(|_| fmt::Error)?;
        writeln!(writer, "{}", String::from_utf8_lossy(&line))
    }
}

fn write_line(
    line: &mut Vec<u8>,
    now: Timestamp,
    event: &Event<'_>,
    request_id: Option<&str>,
) -> Result<(), serde_json::Error> {
    let mut serializer = serde_json::Serializer::new(line);
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("timestamp", &format_args!("{now:.6}"))?;
    map.serialize_entry("level", event.metadata().level().as_str())?;
    let mut fields = Fields { map: &mut map, target: None, result: Ok(()) };
    event.record(&mut fields);
    let (target, result) = (fields.target, fields.result);
    result?;
    map.serialize_entry("target", target.as_deref().unwrap_or(event.metadata().target()))?;
    if let Some((trace_id, span_id)) = current_ids() {
        map.serialize_entry("trace_id", &trace_id)?;
        map.serialize_entry("span_id", &span_id)?;
    }
    if let Some(id) = request_id {
        map.serialize_entry(REQUEST_ID, id)?;
    }
    map.end()
}

/// The trace and the span that the thread is in.
fn current_ids() -> Option<(String, String)> {
    Context::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        ids.is_valid().then(|| (ids.trace_id().to_string(), ids.span_id().to_string()))
    })
}

/// The request id of the nearest enclosing span that has one.
fn request_id<S>(context: &FmtContext<'_, S, RequestIdOnly>) -> Option<String>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    context.event_scope()?.find_map(|span| {
        let extensions = span.extensions();
        let kept = extensions.get::<FormattedFields<RequestIdOnly>>()?;
        (!kept.fields.is_empty()).then(|| kept.fields.clone())
    })
}

/// Writes an event's fields into the object.
struct Fields<'a, M: SerializeMap> {
    map: &'a mut M,
    /// The true target of a record of the `log` crate, which arrives as a field.
    target: Option<String>,
    result: Result<(), M::Error>,
}

impl<M: SerializeMap> Fields<'_, M> {
    fn write(&mut self, field: &Field, value: impl serde::Serialize) {
        if self.result.is_err() || field.name().starts_with("log.") {
            return;
        }
        self.result = if RESERVED.contains(&field.name()) {
            self.map.serialize_entry(&format_args!("field_{}", field.name()), &value)
        } else {
            self.map.serialize_entry(field.name(), &value)
        };
    }
}

impl<M: SerializeMap> Visit for Fields<'_, M> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "log.target" {
            self.target = Some(value.to_owned());
        }
        self.write(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, value);
    }

    /// An error with its sources, outermost first.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        self.write(field, text);
    }
}

/// Keeps of a span's fields only the request id, so that spans cost no formatting.
pub(super) struct RequestIdOnly;

impl<'writer> FormatFields<'writer> for RequestIdOnly {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut finder = RequestIdFinder { writer, result: Ok(()) };
        fields.record(&mut finder);
        finder.result
    }

    /// The id is known when the span begins; what is recorded later is something else.
    fn add_fields(&self, _: &'writer mut FormattedFields<Self>, _: &tracing::span::Record<'_>) -> fmt::Result {
        Ok(())
    }
}

struct RequestIdFinder<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl Visit for RequestIdFinder<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == REQUEST_ID {
            self.result = self.writer.write_str(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
