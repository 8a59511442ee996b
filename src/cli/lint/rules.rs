//! A rule's name -> what it checks, in one sentence, for readers of SARIF. docs/LINT.md says more.

/// In the order of their names.
const RULES: [(&str, &str); 30] = [
    ("average", "A row or column of averages is the mean of what it stands for"),
    ("cv", "A coefficient of variation is the deviation divided by the mean"),
    ("derived", "A column or row of differences, ratios, changes or shares follows from the others"),
    ("design", "The number of runs is the product of the levels that they cross"),
    ("direction", "The verb beside two numbers has the direction of their change"),
    ("grand-mean", "The mean of all is one that the means of the groups can have"),
    ("grim", "A mean of whole numbers is one that so many of them can have"),
    ("interval", "A confidence interval holds its mean and is as wide as deviation and number make it"),
    ("order", "Minimum, percentiles, median, mean and maximum are in order"),
    ("order-words", "What is said to be faster, larger or best is so in the table"),
    ("p-value", "A test statistic with its degrees of freedom has the p value that is stated"),
    ("parts", "Stated parts add up to the stated whole"),
    ("percent-change", "A percentage beside two numbers is the change from one to the other"),
    ("pooled-rate", "A mean rate is near all work divided by all time, or the text says which it is"),
    ("product", "A written-out product is right"),
    ("rank", "Ranks are in the order of the numbers that they rank"),
    ("rate", "A rate is the amount divided by the time beside it"),
    ("rate-time", "Rate times time is the amount"),
    ("ratio", "A factor beside two numbers is their ratio"),
    ("replicate-cv", "A variation across replicates is not that of all data"),
    ("restated", "A number that a sentence takes from a table is in the table"),
    ("sd-range", "A deviation is one that range, mean and number allow"),
    ("share", "A percentage of k of n is k divided by n"),
    ("shares", "Shares of one whole sum to no more than it"),
    ("standard-error", "A standard error is the deviation divided by the root of the number"),
    ("stated", "What a sentence says of a column or of two systems is so in the table"),
    ("stated-difference", "Levels that are said to differ by less than a bound do"),
    ("sum", "A written-out sum is right"),
    ("total", "A row or column of totals is the sum of what it stands for"),
    ("trend", "What is said to grow or fall does, and in one way only"),
];

pub fn description(rule: &str) -> Option<&'static str> {
    RULES.iter().find(|(name, _)| *name == rule).map(|(_, what)| *what)
}
