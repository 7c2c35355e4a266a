//! The samples of the page, in the languages that partners' developers have at hand: files that a test runs as they stand
//! on the page.

use std::fmt::Write;

use super::{escape, prose};

/// What stands in the files where the page has the address by which partners reach the service.
const ORIGIN: &str = "https://partner.example";

/// What a sample is written in, and how its file's name ends.
const LANGUAGES: [(&str, &str); 3] = [("curl", "sh"), ("Python", "py"), ("TypeScript", "ts")];

/// One thing to do.
struct Topic {
    name: &'static str,
    title: &'static str,
    words: &'static str,
    /// One for each language.
    files: [&'static str; 3],
}

const TOPICS: [Topic; 6] = [
    Topic {
        name: "first-call",
        title: "The first call",
        words: "One product. Nothing more is needed than the key.",
        files: [
            include_str!("../../../assets/samples/first-call.sh"),
            include_str!("../../../assets/samples/first-call.py"),
            include_str!("../../../assets/samples/first-call.ts"),
        ],
    },
    Topic {
        name: "place-order",
        title: "An order, placed once",
        words: "The key is chosen before the first try, so each repetition means the same order, also one by a later run. What may be repeated: 408, 429, 5xx, `idempotency-in-flight`, and a call without an answer.",
        files: [
            include_str!("../../../assets/samples/place-order.sh"),
            include_str!("../../../assets/samples/place-order.py"),
            include_str!("../../../assets/samples/place-order.ts"),
        ],
    },
    Topic {
        name: "walk-a-list",
        title: "A whole list, while it changes",
        words: "`cursor` is empty at first, then `nextCursor` of the answer before; or follow `Link`. No row that is there throughout is met twice or left out.",
        files: [
            include_str!("../../../assets/samples/walk-a-list.sh"),
            include_str!("../../../assets/samples/walk-a-list.py"),
            include_str!("../../../assets/samples/walk-a-list.ts"),
        ],
    },
    Topic {
        name: "keep-to-limits",
        title: "Limits",
        words: "`RateLimit` says what is left. After a 429, wait for the time in `Retry-After`.",
        files: [
            include_str!("../../../assets/samples/keep-to-limits.sh"),
            include_str!("../../../assets/samples/keep-to-limits.py"),
            include_str!("../../../assets/samples/keep-to-limits.ts"),
        ],
    },
    Topic {
        name: "bulk-orders",
        title: "Several orders in one call",
        words: "Each has a result of its own, with the status and the problem that it would have had alone. The call itself needs no key: repeat it as it is.",
        files: [
            include_str!("../../../assets/samples/bulk-orders.sh"),
            include_str!("../../../assets/samples/bulk-orders.py"),
            include_str!("../../../assets/samples/bulk-orders.ts"),
        ],
    },
    Topic {
        name: "read-a-problem",
        title: "Problems",
        words: "Branch on `code`, and take one that you do not know like any other of its status.",
        files: [
            include_str!("../../../assets/samples/read-a-problem.sh"),
            include_str!("../../../assets/samples/read-a-problem.py"),
            include_str!("../../../assets/samples/read-a-problem.ts"),
        ],
    },
];

/// All of them, for the service at this address.
pub(super) fn write(origin: &str) -> String {
    let mut page = String::new();
    for topic in &TOPICS {
        // Writing to a string does not fail.
        let _ = writeln!(page, "<h3 id=\"{}\">{}</h3>\n<p>{}</p>", topic.name, topic.title, prose(topic.words));
        for ((language, ending), file) in LANGUAGES.iter().zip(topic.files) {
            let (id, code) = (format!("{}.{ending}", topic.name), escape(&file.replace(ORIGIN, origin)));
            let _ = writeln!(page, "<details><summary>{language}</summary>\n<pre id=\"{id}\">{code}</pre>\n</details>");
        }
    }
    page
}
