//! Several stores as one: their series side by side, told apart by a label.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::metric::{Family, LabelSet};

use super::view::{Sample, View};

/// Before a label of the series that has the name of the one that tells the stores apart.
const OTHERS: &str = "exported_";

impl View {
    /// The views of several stores as one, in which each series has the label `label` with the name of its
    /// store. A label of that name that a series has already becomes `exported_…`, as Prometheus does it.
    /// What is declared about a family is what the first store says; epoch and transactions are those of
    /// the first, too. `None` where there is no view.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    /// use deespec::{Store, View, exposition::openmetrics};
    ///
    /// let (one, two) = (Store::open(one)?, Store::open(two)?);
    /// one.transactions().success.add(3);
    /// two.transactions().success.add(4);
    /// let views = [("one".to_owned(), one.view()?), ("two".to_owned(), two.view()?)];
    /// let both = View::together("store", views).unwrap();
    /// let text = openmetrics::encode(&both);
    /// assert!(text.contains("commit_success_total{store=\"one\"} 3\n"));
    /// assert!(text.contains("commit_success_total{store=\"two\"} 4\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn together(label: &str, views: impl IntoIterator<Item = (String, Self)>) -> Option<Self> {
        let mut families: BTreeMap<String, Arc<Family>> = BTreeMap::new();
        let mut all: Option<Self> = None;
        for (store, mut view) in views {
            for sample in view.built_in.iter_mut().chain(&mut view.series) {
                label_with(sample, label, &store);
            }
            for family in view.families.drain(..) {
                families.entry(family.name().to_owned()).or_insert(family);
            }
            for skipped in &mut view.skipped {
                *skipped = format!("{store}: {skipped}");
            }
            match &mut all {
                None => all = Some(view),
                Some(all) => {
                    all.built_in.append(&mut view.built_in);
                    all.series.append(&mut view.series);
                    all.skipped.append(&mut view.skipped);
                    all.last_update = all.last_update.max(view.last_update);
                }
            }
        }
        let mut all = all?;
        all.families = families.into_values().collect();
        let identity = |a: &Sample, b: &Sample| (&a.name, &a.labels).cmp(&(&b.name, &b.labels));
        all.built_in.sort_by(identity);
        all.series.sort_by(identity);
        Some(all)
    }
}

fn label_with(sample: &mut Sample, label: &str, store: &str) {
    let labels = sample.labels.iter();
    let mut labels: BTreeMap<String, String> = labels
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if let Some(own) = labels.insert(label.to_owned(), store.to_owned()) {
        let mut name = format!("{OTHERS}{label}");
        while labels.contains_key(&name) {
            name.insert_str(0, OTHERS);
        }
        labels.insert(name, own);
    }
    sample.labels = LabelSet::from_iter(labels);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[test]
    fn a_label_of_the_same_name_is_kept_under_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("var")).unwrap();
        let labels = [("exported_store", "b"), ("store", "a")];
        store.counter_with("sold_total", &labels).unwrap().add(2);
        let view = View::together("store", [("x".to_owned(), store.view().unwrap())]).unwrap();
        let expected = [
            ("store", "x"),
            ("exported_store", "b"),
            ("exported_exported_store", "a"),
        ];
        assert_eq!(view.value("sold_total", &expected), Some(2));
        assert!(View::together("store", []).is_none());
    }
}
