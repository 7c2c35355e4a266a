//! Version 1 of the screens: what version 2 answers, in the words that were published first.
//!
//! Each screen is asked for and put together by version 2 ([`dashboard::compose`](super::dashboard::compose) and its like)
//! and then said in the old names, so that both versions cost the same calls and a screen has one place to be changed in.
//! What differs: money is a number beside its currency, some names, and a `sort` that is not known means the default.

mod dashboard;
mod products;
mod products_page;

pub use dashboard::get_dashboard_v1;
pub use products::list_products_v1;
pub use products_page::get_products_page_v1;
