//! Ten thousand products in a tree of categories.

use std::collections::HashMap;

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// How many products there are.
const PRODUCTS: u32 = 10_000;
/// The newest product was created at this moment (2026-09-01T00:00:00Z), the others before it.
const NEWEST: i64 = 1_788_220_800;
/// The oldest product is at most this much older, seconds.
const THREE_YEARS: i64 = 3 * 365 * 86_400;

/// A product as the catalog service tells it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Product {
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) category_id: String,
    pub(crate) price: Price,
    pub(crate) created_at: jiff::Timestamp,
    pub(crate) rating: f64,
    pub(crate) stock_level: u32,
    pub(crate) image_path: String,
}

/// A price in minor units of its currency.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Price {
    pub(crate) amount_minor: u64,
    pub(crate) currency: &'static str,
}

/// A category as the categories service tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Category {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) parent_id: Option<String>,
}

/// A root category and the categories in it, each with the word for its products.
type Branch = (&'static str, [(&'static str, &'static str); 4]);

const TREE: [Branch; 8] = [
    (
        "Audio",
        [
            ("Headphones", "Headphones"),
            ("Speakers", "Speaker"),
            ("Turntables", "Turntable"),
            ("Microphones", "Microphone"),
        ],
    ),
    ("Kitchen", [("Knives", "Knife"), ("Pans", "Pan"), ("Kettles", "Kettle"), ("Mugs", "Mug")]),
    ("Garden", [("Spades", "Spade"), ("Planters", "Planter"), ("Hoses", "Hose"), ("Lanterns", "Lantern")]),
    ("Sports", [("Yoga Mats", "Yoga Mat"), ("Dumbbells", "Dumbbell"), ("Rackets", "Racket"), ("Helmets", "Helmet")]),
    ("Office", [("Desks", "Desk"), ("Chairs", "Chair"), ("Lamps", "Lamp"), ("Notebooks", "Notebook")]),
    ("Travel", [("Backpacks", "Backpack"), ("Suitcases", "Suitcase"), ("Tents", "Tent"), ("Flasks", "Flask")]),
    ("Toys", [("Puzzles", "Puzzle"), ("Trains", "Train"), ("Blocks", "Block Set"), ("Kites", "Kite")]),
    ("Fashion", [("Jackets", "Jacket"), ("Scarves", "Scarf"), ("Boots", "Boots"), ("Watches", "Watch")]),
];
const STYLES: [&str; 12] = [
    "Classic", "Compact", "Everyday", "Foldable", "Heritage", "Light", "Modern", "Nordic", "Robust", "Silent", "Slim",
    "Urban",
];
const MATERIALS: [&str; 10] =
    ["Alpine", "Bamboo", "Carbon", "Copper", "Linen", "Maple", "Marble", "Oak", "Steel", "Wool"];
const PRAISE: [&str; 6] = [
    "Made to last for years.",
    "A favourite of our customers.",
    "Small enough for every home.",
    "Repairable, with spare parts.",
    "Designed with people who use it daily.",
    "Packed without plastic.",
];

/// What products can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProductKey {
    Name,
    Price,
    CreatedAt,
    Rating,
}

/// All products, and what finding some of them quickly takes.
#[derive(Debug)]
pub(crate) struct Catalog {
    products: Vec<Product>,
    by_sku: HashMap<String, usize>,
    /// Title and description in lower case, for searching.
    texts: Vec<String>,
    by_name: Vec<usize>,
    by_price: Vec<usize>,
    by_created_at: Vec<usize>,
    by_rating: Vec<usize>,
}

/// The tree of categories, roots before what is in them.
pub(crate) fn categories() -> Vec<Category> {
    TREE.iter()
        .flat_map(|(root, leaves)| {
            let root_id = slug(root);
            let leaf = |name: &'static str, parent: &str| Category {
                id: format!("{parent}-{}", slug(name)),
                name,
                parent_id: Some(parent.to_owned()),
            };
            let inner: Vec<_> = leaves.iter().map(|(name, _)| leaf(name, &root_id)).collect();
            std::iter::once(Category { id: root_id, name: root, parent_id: None }).chain(inner)
        })
        .collect()
}

fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

impl Catalog {
    pub(super) fn generate(random: &mut ChaCha8Rng) -> Self {
        let products: Vec<_> = (1..=PRODUCTS).map(|number| product(number, random)).collect();
        let texts = products.iter().map(|p| format!("{} {}", p.title, p.description).to_lowercase()).collect();
        let by_sku = products.iter().enumerate().map(|(index, p)| (p.sku.clone(), index)).collect();
        let ordered = |compare: fn(&Product, &Product) -> std::cmp::Ordering| {
            let mut indices: Vec<usize> = (0..products.len()).collect();
            // Stable, so that equal products stay in the order of their numbers.
            indices.sort_by(|&a, &b| compare(&products[a], &products[b]));
            indices
        };
        let by_name = ordered(|a, b| a.title.cmp(&b.title));
        let by_price = ordered(|a, b| a.price.amount_minor.cmp(&b.price.amount_minor));
        let by_created_at = ordered(|a, b| a.created_at.cmp(&b.created_at));
        let by_rating = ordered(|a, b| a.rating.total_cmp(&b.rating));
        Self { products, by_sku, texts, by_name, by_price, by_created_at, by_rating }
    }

    /// All products, by number.
    pub(crate) fn products(&self) -> &[Product] {
        &self.products
    }

    /// One product.
    pub(crate) fn by_sku(&self, sku: &str) -> Option<&Product> {
        self.by_sku.get(sku).map(|&index| &self.products[index])
    }

    /// The products that pass, in this order. `wanted` also gets title and description in lower case.
    pub(crate) fn select(
        &self,
        key: Option<ProductKey>,
        descending: bool,
        wanted: impl Fn(&Product, &str) -> bool,
    ) -> Vec<&Product> {
        let all: Vec<usize>;
        let indices = match key {
            Some(ProductKey::Name) => &self.by_name,
            Some(ProductKey::Price) => &self.by_price,
            Some(ProductKey::CreatedAt) => &self.by_created_at,
            Some(ProductKey::Rating) => &self.by_rating,
            None => {
                all = (0..self.products.len()).collect();
                &all
            }
        };
        let pick = |&index: &usize| {
            let product = &self.products[index];
            wanted(product, &self.texts[index]).then_some(product)
        };
        if descending {
            indices.iter().rev().filter_map(pick).collect()
        } else {
            indices.iter().filter_map(pick).collect()
        }
    }
}

fn product(number: u32, random: &mut ChaCha8Rng) -> Product {
    let (root, leaves) = &TREE[random.random_range(0..TREE.len())];
    let (leaf, noun) = leaves[random.random_range(0..leaves.len())];
    let mut pick = |words: &[&'static str]| words.choose(random).copied().unwrap_or_default();
    let (style, material) = (pick(&STYLES), pick(&MATERIALS));
    let praise = pick(&PRAISE);
    let sku = format!("SKU-{number:05}");
    let seconds = NEWEST - random.random_range(0..THREE_YEARS);
    Product {
        title: format!("{style} {material} {noun}"),
        description: format!("{style} {} of the {material} line. {praise}", noun.to_lowercase()),
        category_id: format!("{}-{}", slug(root), slug(leaf)),
        price: Price { amount_minor: random.random_range(199..50_000), currency: "EUR" },
        created_at: jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        rating: f64::from(random.random_range(10..=50_u8)) / 10.0,
        stock_level: random.random_range(0..500),
        image_path: format!("/images/products/{sku}.webp"),
        sku,
    }
}
