//! The statistics of a measurement.

/// One kind compared with another.
pub(crate) struct Comparison {
    pub(crate) kind: usize,
    /// Of what is left of the kind.
    pub(crate) median: f64,
    /// How much its mean is beyond that of the other.
    pub(crate) beyond: f64,
    /// Welch's t of the two.
    pub(crate) t: f64,
}

/// Compares each kind that was timed with this one, without the slowest tenth of all samples. The threshold is one for
/// all: a threshold for each would hide what makes a kind slow.
pub(crate) fn compare(times: &[Vec<f64>], with: usize) -> Vec<Comparison> {
    let mut all: Vec<f64> = times.iter().flatten().copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    let threshold = all[all.len() * 9 / 10];
    let kept = |kind: usize| -> Vec<f64> { times[kind].iter().copied().filter(|time| *time < threshold).collect() };
    let other = kept(with);
    let compare = |kind| {
        let kept = kept(kind);
        let (beyond, t) = welch(&kept, &other);
        Comparison { kind, median: median(kept.iter().copied()), beyond, t }
    };
    (0..times.len()).filter(|kind| !times[*kind].is_empty()).map(compare).collect()
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The difference of the means, and Welch's t.
fn welch(one: &[f64], other: &[f64]) -> (f64, f64) {
    let moments = |values: &[f64]| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((one, a), (other, b)) = (moments(one), moments(other));
    (one - other, (one - other) / (a + b).sqrt())
}
