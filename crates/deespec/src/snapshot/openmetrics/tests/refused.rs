//! What is refused, and the line that the message names.

use super::*;

fn refusal(text: &str) -> String {
    match parse(text) {
        Ok(read) => panic!("not refused: {text}\n{read:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_openmetrics_text_that_is_cut_off_is_not_taken_for_prometheus_text() {
    for row in [
        "line 1 has a # UNIT <= # UNIT a_s s\n# TYPE a_s gauge\na_s 1\n",
        "line 2 has a counter whose TYPE line leaves out _total <= # TYPE a counter\na_total 1\na_total{b=\"\n",
        "line 2 has a _created sample <= # TYPE a summary\na_created 1\n",
        "line 3 has a _created sample <= # TYPE a_total counter\na_total 1\na_total_created 1\n",
        "line 1 has an exemplar <= a 1 # {} 1\n",
        "line 1 has an exemplar <= a 1 1 # {b=\"c\"} 1\na",
        "line 1 has a time with a fraction <= a 1 1520879607.789\n",
        "line 1 has the type info <= # TYPE a info\n",
        "line 1 has the type unknown <= # TYPE a unknown\n",
        "line 1 has the type stateset <= # TYPE a stateset\n",
        "line 1 has the type gaugehistogram <= # TYPE a gaugehistogram\n",
    ] {
        let (what, text) = row.split_once(" <= ").unwrap();
        let last = text.lines().count();
        let message = format!(
            "line {last}: it ends without # EOF, though {what}, which only OpenMetrics has"
        );
        assert_eq!(refusal(text), message, "{text}");
    }
    let cut = "line 2: it does not end with a newline, so it may be cut off";
    assert_eq!(refusal("# TYPE go gauge\ngo 6"), cut);
    assert_eq!(refusal("go 6\n# EO"), cut);
}

/// Each text is OpenMetrics without its last line.
#[test]
fn what_is_not_lawful_openmetrics_is_refused_with_its_line() {
    for row in [
        "1: OpenMetrics has no empty lines <= \n",
        "2: nothing may stand behind # EOF <= a 1\n# EOF\n",
        "1: a line that begins with # must be # TYPE, # UNIT, # HELP or # EOF <= # a comment\n",
        "1: a line that begins with # must be # TYPE, # UNIT, # HELP or # EOF <= #TYPE a gauge\n",
        "1: one space and a name must follow # TYPE <= # TYPE\n",
        "1: metric name \"\" is not valid <= # TYPE  a gauge\n",
        "1: # TYPE a ends too early <= # TYPE a\n",
        "1: # HELP a ends too early <= # HELP a\n",
        "1: \"untyped\" is not a type of metric <= # TYPE a untyped\n",
        "1: \"gauge \" is not a type of metric <= # TYPE a gauge \n",
        "1: metric name \"a-b\" is not valid <= a-b 1\n",
        "1: metric name \"\" is not valid <= {\"a.b\"} 1\n",
        "1: label name \"__a\" is not valid <= a{__a=\"\"} 1\n",
        "1: label name \"a:b\" is not valid <= a{a:b=\"1\"} 1\n",
        "1: label \"b\" is given twice <= a{b=\"1\",b=\"\"} 1\n",
        "1: the label \"b\" lacks =\" behind its name <= a{b} 1\n",
        "1: the label \"b\" lacks =\" behind its name <= a{b=1} 1\n",
        "1: the label \"\" lacks =\" behind its name <= a{b=\"1\",} 1\n",
        "1: the label \"b\" lacks , or } behind it <= a{b=\"1\"c=\"1\"} 1\n",
        "1: a label's value lacks the quote at its end <= a{b=\"1\\\"} 1\n",
        "1: \\t is not an escape <= a{b=\"\\t\"} 1\n",
        "1: \\ is not an escape <= # HELP a b\\\n",
        "1: a value must follow the name and its labels <= a\n",
        "1: a value must follow the name and its labels <= a  1\n",
        "1: a value must follow the name and its labels <= a{b=\"1\"}1\n",
        "1: \"{b=\\\"1\\\"}\" is not a number <= a {b=\"1\"} 1\n",
        "1: \"{b=\\\"1\\\"}\" is not a number <= a {b=\"1\"}\n",
        "1: \"0x1\" is not a number <= a 0x1\n",
        "1: \"1e999\" is too large for a number <= a 1e999\n",
        "1: there are blanks too many behind the value <= a 1 \n",
        "1: \"x\" is not a number <= a 1 x\n",
        "1: \"Inf\" is not a time <= a 1 Inf\n",
        "1: \"3\" is too much behind the sample <= a 1 2 3\n",
        "2: an exemplar must begin with # { <= # TYPE a counter\na_total 1 #{} 1\n",
        "2: an exemplar lacks its value <= # TYPE a counter\na_total 1 # {}\n",
        "2: \" 3\" is too much behind the exemplar <= # TYPE a counter\na_total 1 # {} 1 2 3\n",
        "1: a cannot have an exemplar <= a 1 # {} 1\n",
        "2: a_count cannot have an exemplar <= # TYPE a histogram\na_count 1 # {} 1\n",
        "2: # TYPE a stands twice <= # TYPE a gauge\n# TYPE a gauge\n",
        "2: # HELP a stands twice <= # HELP a \n# HELP a \n",
        "2: # UNIT a_s stands twice <= # UNIT a_s s\n# UNIT a_s s\n",
        "2: # HELP a must stand before the samples <= a 1\n# HELP a b\n",
        "1: as does not end with _ and its unit \"s\" <= # UNIT as s\n",
        "2: a_s cannot have a unit <= # UNIT a_s s\n# TYPE a_s info\n",
        "3: a has been before <= a 1\nb 1\n# TYPE a gauge\n",
        "5: a_total has been before <= # TYPE a counter\na_total{x=\"1\"} 1\n# TYPE b gauge\nb 1\na_total{x=\"2\"} 1\n",
        "2: the samples a_created of a would have another family's name <= a_created 1\n# TYPE a counter\na_total 1\nb 1\n",
        "2: a_created has been before <= # TYPE a counter\n# TYPE a_created gauge\n",
        "2: the sample a does not fit the type of a, whose samples are a_total, a_created <= # TYPE a counter\na 1\n",
        "2: the sample a_bucket does not fit <= # TYPE a gauge\na_bucket{le=\"1\"} 1\n",
        "2: the sample a_total does not fit <= # TYPE a histogram\na_total 1\n",
        "2: a counter cannot be \"-1\" <= # TYPE a counter\na_total -1\n",
        "2: a counter cannot be \"NaN\" <= # TYPE a counter\na_total NaN\n",
        "2: it has a time of creation and no value <= # TYPE a counter\na_created 1\n",
        "3: \"NaN\" is not a time <= # TYPE a counter\na_total 1\na_created NaN\n",
        "2: a_info must be 1 <= # TYPE a info\na_info 2\n",
        "3: the sample a stands twice <= # TYPE a gauge\na 1 1\na 1 2\n",
        "2: the sample a stands twice <= a{b=\"\"} 1\na 2\n",
        "3: the sample a_total stands twice <= # TYPE a counter\na_total 1\na_total 1\n",
        "3: the samples of a with these labels must stand together <= a{b=\"1\"} 1\na{b=\"2\"} 1\na{b=\"1\"} 1\n",
        "2: a bucket must have the label le <= # TYPE a histogram\na_bucket 1\n",
        "2: only the buckets of a histogram can have the label le <= # TYPE a histogram\na_sum{le=\"1\"} 1\n",
        "2: the bound of a bucket cannot be NaN <= # TYPE a histogram\na_bucket{le=\"NaN\"} 1\n",
        "2: \"\" is not a number <= # TYPE a histogram\na_bucket{le=\"\"} 1\n",
        "2: \"1.5\" is not a count <= # TYPE a histogram\na_bucket{le=\"1\"} 1.5\n",
        "2: \"-1\" is not a count <= # TYPE a histogram\na_bucket{le=\"1\"} -1\n",
        "3: the buckets must ascend and stand once, and le 1.0 comes after 1.0 <= # TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"1.0\"} 1\n",
        "3: the counts of buckets are cumulative, and 1 comes after 2 <= # TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"2\"} 1\n",
        "2: a histogram's last bucket must have le=\"+Inf\" <= # TYPE a histogram\na_bucket{le=\"1\"} 1\n",
        "3: a histogram's last bucket must have le=\"+Inf\" <= # TYPE a histogram\na_sum 1\na_count 1\nb 1\n",
        "4: the _count 2 is not that of the bucket +Inf, 1 <= # TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
        "3: a histogram must have both _sum and _count <= # TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\n",
        "4: the _sum of a histogram cannot be negative <= # TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum -1\na_count 1\n",
        "5: a histogram with a negative le cannot have a _sum <= # TYPE a histogram\na_bucket{le=\"-1\"} 1\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
    ] {
        let (message, text) = row.split_once(" <= ").unwrap();
        let refusal = refusal(&format!("{text}# EOF\n"));
        assert!(
            refusal.starts_with(&format!("line {message}")),
            "{refusal}\n{message}\n{text}"
        );
    }
}

#[test]
fn what_is_not_lawful_prometheus_text_is_refused_with_its_line() {
    for row in [
        "1: # EOF must stand alone <= # EOF \n",
        "1: \"1e3\" is not a time in milliseconds <= a 1 1e3\n",
        "2: # TYPE a must stand before the samples <= a 1\n# TYPE a gauge\n",
        "3: a has been before <= a 1\nb 1\na{c=\"1\"} 1\n",
        "2: the sample a stands twice <= a 1\na 2\n",
        "2: a counter cannot be \"-1\" <= # TYPE a_total counter\na_total -1\n",
        "3: a and a_total are both counters <= # TYPE a_total counter\na_total 1\n# TYPE a counter\na 1\n",
        "2: the sample a_max does not fit <= # TYPE a_max histogram\na_max 1\n",
    ] {
        let (message, text) = row.split_once(" <= ").unwrap();
        let refusal = refusal(text);
        assert!(
            refusal.starts_with(&format!("line {message}")),
            "{refusal}\n{message}\n{text}"
        );
    }
    let odd = parse("# TYPE _total counter\n_total 1\n").unwrap();
    assert_eq!(odd.families[0].name, "_total");
}

#[test]
fn bytes_that_are_no_such_text_are_refused() {
    let refusal = |bytes: &[u8]| Text::parse(bytes, SERIES_MAX).unwrap_err().to_string();
    assert_eq!(refusal(b""), "line 1: it is empty");
    assert_eq!(refusal(b"a 1\nb\xff 1\n"), "line 2: it is not UTF-8");
    assert_eq!(
        refusal(b"\xef\xbb\xbfa 1\n"),
        "line 1: it begins with a byte order mark"
    );
    assert_eq!(
        refusal(b"a 1\nb 1\r\n# EOF\r\n"),
        "line 2: it ends with CR LF; lines must end with LF alone"
    );
    let long = "x".repeat(5000);
    assert!(refusal(format!("a {long}\n").as_bytes()).len() < 100);
}
