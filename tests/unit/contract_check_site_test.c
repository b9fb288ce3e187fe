/* One note of a binary against the contract's row. */
#include "contract/contract.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const unsigned widths[] = {1, 2, 4, 8};
enum { WIDTHS_CNT = sizeof(widths) / sizeof(widths[0]) };

/* A site as compiled for the row. */
static struct site
matching_site(const struct contract_tracepoint *row)
{
	struct site site = {.args_cnt = row->args_cnt};

	snprintf(site.provider, sizeof(site.provider), "%s", row->context);
	snprintf(site.name, sizeof(site.name), "%s", row->name);
	for (unsigned i = 0; i < row->args_cnt; i++) {
		static const enum operand_kind kinds[] = {OPERAND_REGISTER, OPERAND_MEMORY, OPERAND_CONSTANT};
		struct operand *operand = &site.args[i];

		*operand = (struct operand){
			.kind = kinds[i % 3],
			.width_bytes = (uint8_t)arg_type_width(row->args[i].code_type, 8),
			.is_signed = arg_type_is_signed(row->args[i].code_type),
		};
		snprintf(operand->text, sizeof(operand->text), "operand-text-%u", i + 1);
	}
	return site;
}

/* Checks the site, and returns the only finding, which must be about that argument (0: about the site). */
static struct finding *
check_gives_one(const struct contract_tracepoint *row, const struct site *site, unsigned argument,
		struct findings *findings)
{
	*findings = (struct findings){0};
	assert_int_equal(contract_check_site(row, site, findings), 1);
	assert_int_equal(findings->cnt, 1);

	struct finding *finding = &findings->items[0];
	assert_int_equal(finding->kind, FINDING_CONTRACT);
	assert_string_equal(finding->tracepoint, row->full_name);
	assert_int_equal(finding->argument, argument);
	assert_non_null(finding->want);
	assert_non_null(finding->got);
	assert_string_not_equal(finding->want, finding->got);
	assert_non_null(strstr(finding->source, ".note.stapsdt"));
	assert_non_null(strstr(finding->message, row->full_name));
	assert_null(strchr(finding->message, '\n'));
	if (argument) {
		char number[32];

		snprintf(number, sizeof(number), "argument %u ", argument);
		assert_string_equal(finding->argument_name, row->args[argument - 1].name);
		assert_non_null(strstr(finding->message, number));
		assert_non_null(strstr(finding->message, finding->argument_name));
	} else {
		assert_null(finding->argument_name);
	}
	return finding;
}

static void
describe(unsigned width, bool is_signed, char out[32])
{
	snprintf(out, 32, "%u byte%s, %s", width, width == 1 ? "" : "s", is_signed ? "signed" : "unsigned");
}

static void
test_matching_sites(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);
		struct site site = matching_site(row);
		struct findings findings = {0};

		assert_int_equal(contract_check_site(row, &site, &findings), 0);
		assert_int_equal(findings.cnt, 0);
		findings_fini(&findings);
	}
}

/* Every other width, and the other sign, of every argument of every row. */
static void
test_wrong_operands(void **state)
{
	unsigned tried = 0, args = 0, as_documented = 0;

	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);

		for (unsigned i = 0; i < row->args_cnt; i++) {
			const struct site good = matching_site(row);

			args++;

			for (unsigned w = 0; w < WIDTHS_CNT; w++)
				for (int sign = 0; sign < 2; sign++) {
					struct site site = good;
					struct operand *operand = &site.args[i];
					struct findings findings;
					char text[32];

					operand->width_bytes = (uint8_t)widths[w];
					operand->is_signed = sign;
					if (operand->width_bytes == good.args[i].width_bytes &&
					    operand->is_signed == good.args[i].is_signed)
						continue;
					if (operand->width_bytes == arg_type_width(row->args[i].type, 8) &&
					    operand->is_signed == arg_type_is_signed(row->args[i].type)) {
						findings = (struct findings){0};
						assert_int_equal(contract_check_site(row, &site, &findings),
								 0);
						as_documented++;
						continue;
					}
					struct finding *finding =
						check_gives_one(row, &site, i + 1, &findings);
					describe(good.args[i].width_bytes, good.args[i].is_signed, text);
					assert_string_equal(finding->want, text);
					describe(operand->width_bytes, operand->is_signed, text);
					assert_string_equal(finding->got, text);
					assert_non_null(strstr(finding->message, operand->text));
					assert_non_null(strstr(finding->message,
							       arg_type_name(row->args[i].code_type)));
					findings_fini(&findings);
					tried++;
				}
		}
	}
	/* 7 of 8 combinations are wrong; where the code differs from the document, the document's type is right. */
	assert_in_range(args, 93, UINT_MAX);
	assert_in_range(as_documented, 4, args);
	assert_int_equal(tried, args * 7 - as_documented);
}

static void
test_number_of_arguments(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		/* The documents of a release are final. */
		const struct contract_tracepoint *row = contract_at(id, RELEASE_MASTER - 1);

		for (unsigned cnt = 0; cnt <= SITE_ARGS_MAX; cnt++) {
			struct site site = matching_site(row);
			struct findings findings;
			char text[32];

			if (cnt == row->args_cnt)
				continue;
			/* Those beyond the row would fail every check. */
			for (unsigned i = row->args_cnt; i < cnt; i++)
				site.args[i] = (struct operand){.kind = OPERAND_UNREADABLE, .width_bytes = 2};
			site.args_cnt = cnt;
			struct finding *finding = check_gives_one(row, &site, 0, &findings);
			snprintf(text, sizeof(text), "%u argument%s", row->args_cnt,
				 row->args_cnt == 1 ? "" : "s");
			assert_string_equal(finding->want, text);
			snprintf(text, sizeof(text), "%u argument%s", cnt, cnt == 1 ? "" : "s");
			assert_string_equal(finding->got, text);
			assert_non_null(strstr(finding->message, text));
			findings_fini(&findings);
		}
	}
}

/* Master may have fewer arguments only by mistake, but it may have got new ones. */
static void
test_new_arguments(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);

		for (unsigned cnt = 0; cnt <= SITE_ARGS_MAX; cnt++) {
			struct site site = matching_site(row);
			struct findings findings = {0};
			char text[64];

			for (unsigned i = row->args_cnt; i < cnt; i++)
				site.args[i] = (struct operand){
					.kind = OPERAND_UNREADABLE, .width_bytes = 2, .reason = "no reason"};
			site.args_cnt = cnt;
			if (cnt < row->args_cnt) {
				check_gives_one(row, &site, 0, &findings);
				findings_fini(&findings);
				assert_int_equal(contract_check_new_args(row, &site, &findings), 0);
				continue;
			}
			assert_int_equal(contract_check_site(row, &site, &findings), 0);
			assert_int_equal(contract_check_new_args(row, &site, &findings), cnt > row->args_cnt);
			assert_int_equal(findings.cnt, cnt > row->args_cnt);
			if (findings.cnt) {
				assert_int_equal(findings.items[0].kind, FINDING_DETAIL);
				snprintf(text, sizeof(text),
					 " argument %u (2 bytes, unsigned; cannot be read: no reason)", cnt);
				assert_non_null(strstr(findings.items[0].message, text));
			}
			findings_fini(&findings);
		}
	}
}

static void
test_unreadable_operands(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);

		for (unsigned i = 0; i < row->args_cnt; i++) {
			struct site site = matching_site(row);
			struct operand *operand = &site.args[i];
			struct findings findings;

			operand->kind = OPERAND_UNREADABLE;
			snprintf(operand->text, sizeof(operand->text), "%s", "8@%xmm3");
			snprintf(operand->reason, sizeof(operand->reason), "%s",
				 "the operand is in SSE register %xmm3");
			struct finding *finding = check_gives_one(row, &site, i + 1, &findings);
			assert_string_equal(finding->got, "8@%xmm3");
			assert_non_null(strstr(finding->message, operand->reason));
			assert_null(strstr(finding->message, "local copy"));
			findings_fini(&findings);
			/* An unknown width adds no finding. */
			operand->width_bytes = 0;
			operand->is_signed = true;
			check_gives_one(row, &site, i + 1, &findings);
			findings_fini(&findings);
		}
	}
}

/* A size_t has the width of a pointer, which is documented as uint64. */
static void
test_32_bit(void **state)
{
	const struct contract_tracepoint *row = contract_get(TP_NET_INBOUND_MESSAGE);
	struct findings findings = {0};

	(void)state;
	struct site site = matching_site(row);
	site.address_bytes = 4;
	for (unsigned i = 1; i < 6; i++)
		site.args[i].width_bytes = 4;
	assert_int_equal(contract_check_site(row, &site, &findings), 0);
	site.args[4].width_bytes = 8;
	assert_int_equal(contract_check_site(row, &site, &findings), 0);
	site.args[4].width_bytes = 2;
	struct finding *finding = check_gives_one(row, &site, 5, &findings);
	assert_string_equal(finding->want, "4 bytes, unsigned");
	findings_fini(&findings);
	site = matching_site(row);
	site.address_bytes = 4;
	/* Four pointers have 8 bytes, which is fine only for peer id and size. */
	assert_int_equal(contract_check_site(row, &site, &findings), 4);
	findings_fini(&findings);
}

/* What users of libbcc see of an operand that nobody can read. */
static void
test_effects(void **state)
{
	const struct contract_tracepoint *row = contract_get(TP_MEMPOOL_ADDED);
	struct site site = matching_site(row);
	struct findings findings;

	(void)state;
	site.args[1].kind = OPERAND_UNREADABLE;
	snprintf(site.args[1].reason, sizeof(site.args[1].reason),
		 "the operand is in the SSE register %%xmm3");
	site.args[1].bcc = OPERAND_BCC_ZERO;
	struct finding *finding = check_gives_one(row, &site, 2, &findings);
	assert_string_equal(
		finding->message,
		"argument 2 (vsize) of mempool:added cannot be read: the operand is in the SSE register %xmm3; libbcc reads it as 0, without an error");
	findings_fini(&findings);
	for (enum operand_bcc bcc = OPERAND_BCC_ZERO; bcc <= OPERAND_BCC_REFUSES; bcc++)
		assert_non_null(strstr(contract_bcc_effect(bcc), "; libbcc "));
	assert_string_equal(contract_bcc_effect(OPERAND_BCC_READS), "");
}

/* Everything wrong with a site is reported at once, after earlier findings. */
static void
test_several(void **state)
{
	const struct contract_tracepoint *row = contract_get(TP_UTXOCACHE_ADD);
	struct site site = matching_site(row);
	struct findings findings = {0};

	(void)state;
	findings_add(&findings, FINDING_DETAIL, NULL, 0, NULL, NULL, NULL, NULL, "found before");
	site.args_cnt = 4;
	site.args[1].width_bytes = 8;
	site.args[2].is_signed = true;
	site.args[3].kind = OPERAND_UNREADABLE;
	assert_int_equal(contract_check_site(row, &site, &findings), 4);
	assert_int_equal(findings.cnt, 5);
	assert_string_equal(findings.items[0].message, "found before");
	assert_int_equal(findings.items[0].kind, FINDING_DETAIL);
	assert_int_equal(findings.items[1].argument, 0);
	assert_string_equal(findings.items[2].argument_name, "vout");
	assert_string_equal(findings.items[3].argument_name, "height");
	assert_string_equal(findings.items[4].argument_name, "value");
	findings_fini(&findings);
}

/* The longest texts of an operand are not cut. */
static void
test_long_texts(void **state)
{
	const struct contract_tracepoint *row = contract_get(TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL);
	struct site site = matching_site(row);
	struct operand *operand = &site.args[3];
	struct findings findings = {0};

	(void)state;
	memset(operand->text, 't', sizeof(operand->text) - 1);
	memset(operand->reason, 'r', sizeof(operand->reason) - 1);
	operand->kind = OPERAND_UNREADABLE;
	operand->width_bytes = 8;
	assert_int_equal(contract_check_site(row, &site, &findings), 2);
	assert_string_equal(findings.items[0].got, operand->text);
	assert_non_null(strstr(findings.items[0].message, operand->reason));
	assert_non_null(strstr(findings.items[1].message, operand->text));
	assert_non_null(strstr(findings.items[1].message, "consumers misread it"));
	findings_fini(&findings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matching_sites),
		cmocka_unit_test(test_wrong_operands),
		cmocka_unit_test(test_number_of_arguments),
		cmocka_unit_test(test_new_arguments),
		cmocka_unit_test(test_unreadable_operands),
		cmocka_unit_test(test_32_bit),
		cmocka_unit_test(test_effects),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
