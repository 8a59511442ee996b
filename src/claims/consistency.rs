//! Published values -> predicates: are they from a set-up like ours, and do they follow from each other? Each holds, fails or cannot
//! be told, with the sentence for it. Nothing is called wrong that correct rounding can explain.

use std::collections::BTreeMap;

use super::{
    Id, Predicate,
    published::{Document, Span},
    rounding::significant,
    words::list,
};
use crate::{
    machine::Environment,
    study::{Published, Study},
};

/// Metrics that the document gives by length and by temperature.
const BOTH: [(&str, &str); 2] = [("latency", "s"), ("throughput", "tok/s")];

/// Every judgement on a document.
pub(super) fn of(
    published: &Published,
    study: &Study,
    environment: &Environment,
    backend: &str,
) -> BTreeMap<Id, Predicate> {
    let document = Document { published };
    BTreeMap::from([
        ("published.same_setup".into(), same_setup(published, study, environment, backend)),
        ("published.means.follow".into(), means_follow(&document)),
        ("published.tokens.possible".into(), tokens_possible(&document)),
        ("published.temperature.follows".into(), temperature_follows(&document)),
        ("published.cv.of_replicates".into(), cv_of_replicates(&document)),
        ("published.latency.proportional".into(), proportional(&document)),
    ])
}

fn said(holds: Option<bool>, test: &str, text: String) -> Predicate {
    Predicate::said(holds, test, text)
}

fn same_setup(published: &Published, study: &Study, environment: &Environment, backend: &str) -> Predicate {
    let test = "the environment's processor and the study's model are those that the document names";
    let (name, model) = (&published.name, study.models.first().map_or("", |model| model.name.as_str()));
    let Some(chip) = &environment.chip.value else {
        let why = environment.chip.reason.as_deref().unwrap_or("it does not say");
        let text = format!(
            "The machine does not tell what processor it has ({why}), so whether our numbers come from a machine like that of {name} is not known."
        );
        return said(None, test, text);
    };
    let same_chip = chip.to_lowercase().contains(&published.chip.to_lowercase());
    let same_model = model == published.model;
    let other_machine = format!("another machine ({chip}, backend {backend}; there: {})", published.machine);
    let other_model = format!("another model ({model}; there: {})", published.model);
    let differs = match (same_chip, same_model) {
        (true, true) => {
            let text = format!(
                "Our numbers come from a machine with the same processor and from the same model as those of {name}."
            );
            return said(Some(true), test, text);
        }
        (false, false) => format!("{other_machine} and {other_model}"),
        (false, true) => other_machine,
        (true, false) => other_model,
    };
    said(
        Some(false),
        test,
        format!(
            "Our numbers come from {differs}. No difference between the two columns says that either is faster or wrong; they stand side by side to show what each kind of number is."
        ),
    )
}

fn means_follow(document: &Document<'_>) -> Predicate {
    let test = "in a balanced design the overall mean is the mean of the levels' means";
    let name = &document.published.name;
    let mut checked = Vec::new();
    for (metric, unit) in BOTH {
        let id = format!("{metric}.mean");
        if let (Some(printed), Some(mean)) = (document.printed(&id), document.grand_mean(metric)) {
            let numbers = format!(
                "{metric}: {} {unit} stated, {} {unit} from the lengths, which rounding can move by {} {unit} at most",
                significant(printed.value, 3),
                significant(mean.value, 3),
                significant(mean.high - mean.value, 1)
            );
            checked.push((mean.allows(printed), numbers));
        }
    }
    let numbers = |keep: bool| {
        checked.iter().filter(|check| check.0 == keep).map(|check| check.1.clone()).collect::<Vec<_>>().join("; ")
    };
    match checked.iter().all(|check| check.0) {
        _ if checked.is_empty() => said(
            None,
            test,
            format!(
                "Whether the overall means of {name} follow from its means by length cannot be told: it does not give both."
            ),
        ),
        true => said(
            Some(true),
            test,
            format!("The overall means of {name} follow from its means by length ({}).", numbers(true)),
        ),
        false => said(
            Some(false),
            test,
            format!(
                "The design is balanced, so an overall mean is the mean of the means by length; in {name} it is not ({}).",
                numbers(false)
            ),
        ),
    }
}

fn tokens_possible(document: &Document<'_>) -> Predicate {
    let test = "mean latency x mean throughput is at most the number of tokens asked for";
    let name = &document.published.name;
    let tokens = document.tokens();
    let cap = |length: &str| length.parse::<f64>().unwrap_or(f64::INFINITY);
    let over: Vec<&(String, Span)> = tokens.iter().filter(|(length, span)| span.low > cap(length)).collect();
    let tell = |(length, span): &(String, Span)| format!("{} at {length}", significant(span.value, 3));
    let numbers = |of: &[&(String, Span)]| list(&of.iter().map(|each| tell(each)).collect::<Vec<_>>());
    if tokens.is_empty() {
        let text = format!(
            "Whether the rates and times of {name} fit its token budgets cannot be told: it does not give both by length."
        );
        return said(None, test, text);
    }
    if over.is_empty() {
        let all: Vec<_> = tokens.iter().collect();
        let text =
            format!("Latency times throughput stays within the token budgets in {name} ({} tokens).", numbers(&all));
        return said(Some(true), test, text);
    }
    said(
        Some(false),
        test,
        format!(
            "In {name} latency times throughput gives {} tokens, more than were asked for: what is divided by the latency there are not the model's tokens.",
            numbers(&over)
        ),
    )
}

fn temperature_follows(document: &Document<'_>) -> Predicate {
    let test = "the stated bound on the effect of temperature holds for the stated means";
    let name = &document.published.name;
    let mut checked = Vec::new();
    for (metric, _) in BOTH {
        let bound = document.printed(&format!("equivalence.temperature.{metric}.percent"));
        if let (Some(bound), Some(effect)) = (bound, document.temperature_effect(metric)) {
            let numbers =
                format!("{} % for {metric}, where less than {} % is stated", significant(effect.value, 2), bound.value);
            checked.push((effect.value < bound.value, effect.low > bound.value, numbers));
        }
    }
    let numbers = checked.iter().map(|check| check.2.clone()).collect::<Vec<_>>().join("; ");
    if checked.is_empty() {
        let text = format!("What {name} says of temperature cannot be checked: it gives no bound, or not both means.");
        return said(None, test, text);
    }
    if checked.iter().all(|check| check.0) {
        return said(
            Some(true),
            test,
            format!("The means by temperature of {name} agree with the bound that it states ({numbers})."),
        );
    }
    if checked.iter().any(|check| check.1) {
        let text = format!(
            "The means by temperature of {name} differ by more than it says, however they were rounded ({numbers})."
        );
        return said(Some(false), test, text);
    }
    said(
        None,
        test,
        format!(
            "As printed, the means by temperature of {name} differ by more than it says ({numbers}); rounding alone could be the reason, so it stays open which of the two is meant."
        ),
    )
}

fn cv_of_replicates(document: &Document<'_>) -> Predicate {
    let test = "the stated CV is not the deviation over all runs divided by their mean";
    let name = &document.published.name;
    let (Some(cv), Some(sd), Some(mean)) =
        (document.printed("latency.cv"), document.get("latency.sd"), document.get("latency.mean"))
    else {
        let text =
            format!("Of what the CV in {name} is a measure cannot be told: it does not give deviation, mean and CV.");
        return said(None, test, text);
    };
    if !sd.over(mean).allows(cv) {
        let text = format!(
            "The CV of latency in {name}, {}, is not that of all runs; it may be what it is called, that of replicates.",
            cv.value
        );
        return said(Some(true), test, text);
    }
    let share = document.length_share().map_or(String::new(), |share| {
        format!(" The means by length alone account for {} % of the squares behind it.", significant(100.0 * share, 2))
    });
    said(
        Some(false),
        test,
        format!(
            "The CV of latency in {name}, {}, is the deviation of all runs divided by their mean, so it contains the effect of output length and is none of replicates.{share}",
            cv.value
        ),
    )
}

fn proportional(document: &Document<'_>) -> Predicate {
    let test = "the mean latencies by length have one ratio to the length";
    let name = &document.published.name;
    let Some((intercept, slope, farthest)) = document.line() else {
        let text = format!("How latency grows with length in {name} cannot be told from fewer than three means.");
        return said(None, test, text);
    };
    let ratios: Vec<Span> = document
        .levels("by_length", "latency")
        .iter()
        .filter_map(|(length, span)| {
            let tokens = length.parse::<f64>().ok()?;
            Some(Span { low: span.low / tokens, value: span.value / tokens, high: span.high / tokens })
        })
        .collect();
    let most = ratios.iter().map(|ratio| ratio.low).fold(0.0, f64::max);
    let least = ratios.iter().map(|ratio| ratio.high).fold(f64::INFINITY, f64::min);
    if most <= least {
        return said(Some(true), test, format!("Latency in {name} is proportional to the number of tokens."));
    }
    said(
        Some(false),
        test,
        format!(
            "The mean latencies of {name} are not proportional to the length. They lie within {} s of the line {} s + {} ms a token, and it is the intercept that makes latency grow by less than the number of tokens does.",
            significant(farthest, 1),
            significant(intercept, 2),
            significant(1e3 * slope, 2)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = include_str!("../../config/published/v1.yaml");

    /// The manuscript's values with some replaced.
    fn with(changes: &[(&str, &str)]) -> Published {
        let mut published = Published::from_str("v1.yaml", V1).unwrap();
        for (id, printed) in changes {
            published.values.iter_mut().find(|value| value.id == *id).unwrap().printed = (*printed).to_owned();
        }
        published
    }

    fn without(ids: &str) -> Published {
        let mut published = with(&[]);
        published.values.retain(|value| !value.id.starts_with(ids));
        published
    }

    fn verdict(judge: fn(&Document<'_>) -> Predicate, published: &Published) -> (Option<bool>, String) {
        let predicate = judge(&Document { published });
        (predicate.holds, predicate.text)
    }

    #[test]
    fn overall_means_follow_or_do_not() {
        let (holds, text) = verdict(means_follow, &with(&[]));
        assert_eq!(holds, Some(false));
        assert!(
            text.contains("latency: 2.68 s stated, 2.71 s from the lengths")
                && text.contains("51.9 tok/s stated, 54.0"),
            "{text}"
        );
        assert_eq!(
            verdict(means_follow, &with(&[("latency.mean", "2.71"), ("throughput.mean", "54.0")])).0,
            Some(true)
        );
        // 2.7133 with each part known to 0.005 can be anything from 2.7083 on, so 2.70 (below 2.705) cannot and 2.71 can.
        assert_eq!(
            verdict(means_follow, &with(&[("latency.mean", "2.70"), ("throughput.mean", "54.0")])).0,
            Some(false)
        );
        assert_eq!(verdict(means_follow, &without("by_length")).0, None);
    }

    #[test]
    fn tokens_fit_their_budget_or_do_not() {
        let (holds, text) = verdict(tokens_possible, &with(&[]));
        assert_eq!(holds, Some(false));
        assert!(text.contains("85.2 at 64 and 142 at 128 tokens"), "{text}");
        let slower = [("by_length.64.throughput.mean", "32.1"), ("by_length.128.throughput.mean", "48.0")];
        assert_eq!(verdict(tokens_possible, &with(&slower)).0, Some(true));
        assert_eq!(verdict(tokens_possible, &without("by_length")).0, None);
    }

    #[test]
    fn a_stated_difference_holds_fails_or_may_be_rounding() {
        // 2.67 and 2.69 may be 2.6749 and 2.6851: 0.38 %. 52.1 and 51.7 may be 0.58 % apart, which is not below 0.5 %.
        assert_eq!(verdict(temperature_follows, &with(&[])).0, Some(false));
        let rate = [("by_temperature.0.3.throughput.mean", "51.9"), ("by_temperature.0.7.throughput.mean", "51.8")];
        assert_eq!(verdict(temperature_follows, &with(&rate)).0, None);
        let latency = [("by_temperature.0.3.latency.mean", "2.68"), rate[0], rate[1]];
        assert_eq!(verdict(temperature_follows, &with(&latency)).0, Some(true));
        assert_eq!(verdict(temperature_follows, &without("equivalence")).0, None);
    }

    #[test]
    fn a_cv_of_all_runs_is_none_of_replicates() {
        let (holds, text) = verdict(cv_of_replicates, &with(&[]));
        assert!(holds == Some(false) && text.contains("account for 84 %"), "{text}");
        assert_eq!(verdict(cv_of_replicates, &with(&[("latency.cv", "0.03")])).0, Some(true));
        assert_eq!(verdict(cv_of_replicates, &without("latency.sd")).0, None);
    }

    #[test]
    fn a_line_with_an_intercept_is_not_proportional() {
        let (holds, text) = verdict(proportional, &with(&[]));
        assert!(holds == Some(false) && text.contains("the line 1.5 s + 7.8 ms a token"), "{text}");
        let through_zero = [
            ("by_length.64.latency.mean", "1.00"),
            ("by_length.128.latency.mean", "2.00"),
            ("by_length.256.latency.mean", "4.00"),
        ];
        assert_eq!(verdict(proportional, &with(&through_zero)).0, Some(true));
        assert_eq!(verdict(proportional, &without("by_length.64")).0, None);
    }
}
