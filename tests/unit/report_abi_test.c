/* What abi and diff print, and that their JSON is valid whatever it contains. */
#include "report/abi.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct site
make_site(const char *provider, const char *name, uint64_t address)
{
	struct site site = {
		.address = address,
		.semaphore_address = 0x9000,
		.args_cnt = 2,
		.args = {{.width_bytes = 8, .is_signed = true, .text = "-8@%r13"}, {.text = "\"\x1b\\ \xff"}},
	};

	snprintf(site.provider, sizeof(site.provider), "%s", provider);
	snprintf(site.name, sizeof(site.name), "%s", name);
	return site;
}

static bool
is_documented(const struct site *site, void *cookie)
{
	assert_string_equal(cookie, "a cookie");
	return !strcmp(site->provider, "net");
}

static char *
text_of(void (*print)(FILE *out, const void *what), const void *what)
{
	char *text = NULL;
	size_t sz;
	FILE *out = open_memstream(&text, &sz);

	assert_non_null(out);
	print(out, what);
	fclose(out);
	return text;
}

static void
print_abi(FILE *out, const void *abi)
{
	report_abi_text(out, abi);
}

static void
print_diff(FILE *out, const void *diff)
{
	report_diff_text(out, diff);
}

static void
assert_text(char *text, const char *want)
{
	assert_string_equal(text, want);
	free(text);
}

static struct json *
parse(char *text)
{
	struct json *doc;
	struct diag diag;

	assert_int_equal(text[strlen(text) - 1], '\n');
	if (json_parse(&doc, text, strlen(text), &diag))
		fail_msg("%s: %s", diag.text, text);
	free(text);
	return doc;
}

static void
abi(void **state)
{
	struct site sites[] = {make_site("net", "b", 0x20), make_site("zmq", "a", 0x10),
			       make_site("net", "b", 0x18)};
	struct findings wrong = {0}, known = {0}, remarks = {0};
	char cookie[] = "a cookie";
	struct report_abi abi = {
		.outcome = OUTCOME_FAIL,
		.binary = {.path = "a file",
			   .release = "v28",
			   .version = "v28.0.0",
			   .why = "because",
			   .machine = "s390",
			   .address_bytes = 8,
			   .is_big_endian = true,
			   .is_position_independent = true,
			   .sites = sites,
			   .sites_cnt = 3},
		.wrong = &wrong,
		.known = &known,
		.remarks = &remarks,
		.is_documented = is_documented,
		.cookie = cookie,
	};
	bool yes;

	(void)state;
	findings_add(&wrong, FINDING_CONTRACT, "net:b", 2, "name", "this", "that", "there", "it is wrong");
	findings_add(&known, FINDING_CONTRACT, NULL, 0, NULL, NULL, NULL, NULL, "it is known");
	findings_add(&remarks, FINDING_CONTRACT, NULL, 0, NULL, NULL, NULL, NULL, "by the way");
	assert_text(text_of(print_abi, &abi), "a file: s390, 2 tracepoints at 3 locations\n"
					      "compared with v28: because\n"
					      "note:  it is known\n"
					      "info:  by the way\n"
					      "WRONG: it is wrong\n"
					      "1 finding: the tracepoints are not as documented in v28\n");
	struct json *doc = parse(report_abi_json(&abi));
	const struct json *binary = json_get(doc, "binary"), *tracepoints = json_get(doc, "tracepoints");
	assert_string_equal(json_string(json_get(doc, "outcome")), "fail");
	assert_true(json_is_null(json_get(doc, "reason")));
	assert_string_equal(json_number(json_get(binary, "bits")), "64");
	assert_string_equal(json_string(json_get(binary, "byte_order")), "big");
	assert_true(json_bool(json_get(binary, "position_independent"), &yes) && yes);
	assert_int_equal(json_cnt(json_get(doc, "findings")), 1);
	assert_int_equal(json_cnt(json_get(doc, "notes")), 1);
	assert_int_equal(json_cnt(json_get(doc, "information")), 1);
	assert_int_equal(json_cnt(tracepoints), 2);
	const struct json *first = json_at(tracepoints, 0), *locations = json_get(first, "locations");
	assert_string_equal(json_string(json_get(first, "tracepoint")), "net:b");
	assert_true(json_bool(json_get(first, "documented"), &yes) && yes);
	assert_true(json_bool(json_get(json_at(tracepoints, 1), "documented"), &yes) && !yes);
	assert_int_equal(json_cnt(locations), 2);
	assert_string_equal(json_string(json_get(json_at(locations, 0), "address")), "0x20");
	assert_string_equal(json_string(json_get(json_at(locations, 1), "address")), "0x18");
	const struct json *args = json_get(json_at(locations, 0), "arguments");
	assert_string_equal(json_number(json_get(json_at(args, 0), "bytes")), "8");
	assert_true(json_is_null(json_get(json_at(args, 1), "bytes")));
	json_free(doc);

	findings_fini(&wrong);
	abi.outcome = OUTCOME_PASS;
	abi.binary.sites_cnt = 1;
	assert_text(text_of(print_abi, &abi), "a file: s390, 1 tracepoint at 1 location\n"
					      "compared with v28: because\n"
					      "note:  it is known\n"
					      "info:  by the way\n"
					      "the tracepoints are as documented in v28\n");
	findings_fini(&known);
	findings_fini(&remarks);
}

static void
what_could_not_be_looked_at(void **state)
{
	struct report_abi abi = {
		.outcome = OUTCOME_ERROR, .reason = "it is broken", .binary = {.path = "a file"}};
	struct report_diff diff = {
		.outcome = OUTCOME_SKIP, .reason = "there is nothing", .before = {.path = "a"}};

	(void)state;
	assert_text(text_of(print_abi, &abi), "ERROR it is broken\n");
	struct json *doc = parse(report_abi_json(&abi));
	assert_string_equal(json_string(json_get(doc, "outcome")), "error");
	assert_string_equal(json_string(json_get(doc, "reason")), "it is broken");
	assert_true(json_is_null(json_get(json_get(doc, "binary"), "bits")));
	assert_int_equal(json_cnt(json_get(doc, "tracepoints")), 0);
	json_free(doc);
	assert_text(text_of(print_diff, &diff), "SKIP  there is nothing\n");
	doc = parse(report_diff_json(&diff));
	assert_string_equal(json_string(json_get(doc, "outcome")), "skip");
	assert_int_equal(json_cnt(json_get(doc, "changes")), 0);
	assert_string_equal(json_number(json_get(doc, "breaking")), "0");
	assert_string_equal(json_number(json_get(doc, "compatible")), "0");
	json_free(doc);
}

static void
diff(void **state)
{
	struct changes changes = {0};
	struct report_diff diff = {
		.outcome = OUTCOME_FAIL,
		.before = {.release = "v28"},
		.after = {.path = "new", .release = "master", .why = "a guess"},
		.changes = &changes,
	};
	char name[] = "a:b", arg[] = "txid", message[] = "another one";

	(void)state;
	assert_text(
		text_of(print_diff, &diff),
		"Tracepoints of `new` (master), compared with the documentation of v28:\n"
		"\n"
		"No change.\n"
		"\n"
		"`new` is taken for master: a guess.\n"
		"\n"
		"ELF notes give the names of tracepoints, and the widths and signs of arguments. They do not show what arguments mean, or whether two of the same width and sign changed places.\n");
	changes_add(&changes, &(struct change){.kind = CHANGE_RETYPED,
					       .breaks = true,
					       .tracepoint = name,
					       .argument = 2,
					       .argument_name = arg,
					       .before = name,
					       .message = message});
	changes_add(&changes, &(struct change){.kind = CHANGE_SEMAPHORE, .message = message});
	diff.after.version = "v31.99.0";
	assert_text(
		text_of(print_diff, &diff),
		"Tracepoints of `new` (v31.99.0), compared with the documentation of v28:\n"
		"\n"
		"Breaking for consumers:\n"
		"\n"
		"- `a:b` argument 2 (txid): another one\n"
		"\n"
		"Compatible:\n"
		"\n"
		"- every tracepoint: another one\n"
		"\n"
		"ELF notes give the names of tracepoints, and the widths and signs of arguments. They do not show what arguments mean, or whether two of the same width and sign changed places.\n");
	struct json *doc = parse(report_diff_json(&diff));
	const struct json *first = json_at(json_get(doc, "changes"), 0);
	assert_string_equal(json_number(json_get(doc, "breaking")), "1");
	assert_string_equal(json_number(json_get(doc, "compatible")), "1");
	assert_string_equal(json_string(json_get(first, "kind")), "retyped");
	assert_string_equal(json_string(json_get(first, "old")), "a:b");
	assert_true(json_is_null(json_get(first, "new")));
	assert_true(json_is_null(json_get(json_at(json_get(doc, "changes"), 1), "tracepoint")));
	assert_true(json_is_null(json_get(json_get(doc, "old"), "path")));
	json_free(doc);
	changes_fini(&changes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abi),
		cmocka_unit_test(what_could_not_be_looked_at),
		cmocka_unit_test(diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
