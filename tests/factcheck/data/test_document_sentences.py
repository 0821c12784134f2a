from factcheck.data import document_sentences

TEXT = "One &amp; one. Two https://example.org/x here.\nThree."


def test_a_text_is_split_and_then_cleaned():
    sentences = document_sentences(TEXT)
    assert [s.text for s in sentences] == ["One & one.", "Two here.", "Three."]
    assert [TEXT[s.start : s.end] for s in sentences] == ["One &amp; one.", "Two https://example.org/x here.", "Three."]


def test_given_spans_are_kept_also_where_nothing_is_left():
    spans = [{"start": 0, "end": 14}, {"start": 14, "end": 15}, {"start": 19, "end": 40}]
    sentences = document_sentences(TEXT, spans)
    assert [s.text for s in sentences] == ["One & one.", "", ""]
    assert [(s.start, s.end) for s in sentences] == [(0, 14), (14, 15), (19, 40)]


def test_a_list_counts_as_joined_by_one_space():
    document = ["One &amp; one.", "", "Two."]
    joined = " ".join(document)
    sentences = document_sentences(document)
    assert [joined[s.start : s.end] for s in sentences] == document
    assert [s.text for s in sentences] == ["One & one.", "", "Two."]
