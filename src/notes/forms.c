/* <sys/sdt.h> has the compiler write an operand in the syntax of its assembler, so each machine has its own forms. They
 * are few: each machine has a list below of what GCC and clang write for the constraint in sdt.h.
 *
 * In a pattern, N is a whole number, U one without a sign, r a register for whole numbers, c a closed register, P the
 * instruction pointer, S the name of a symbol and W another word ("lsl"). A blank is any number of blanks, everything else
 * is itself. Patterns need no backtracking.
 *
 * What libbcc makes of a form follows from the parsers in its usdt_args.cc. They skip a text that they do not
 * understand, and the arguments after it move up. On x86-64 those are skipped as well, because that parser continues at
 * the blank before them. */
#include "notes/forms.h"

#include <ctype.h>
#include <string.h>

enum register_class {
	REGISTER_OTHER, /* not a register of the machine */
	REGISTER_OPEN,
	REGISTER_OPEN_NOT_BCC, /* libbcc does not know it by this name */
	REGISTER_CLOSED,
	REGISTER_CLOSED_ZERO, /* libbcc gives 0 for it */
	REGISTER_POINTER,     /* to the instruction */
};

struct pattern {
	const char *text;
	enum form_kind kind;
	enum operand_bcc bcc;
};

/* Whether s is one of the words in list, which blanks separate. */
static bool
is_among(const char *list, const char *s, size_t len)
{
	while (*list) {
		size_t word = strcspn(list, " ");

		if (word == len && !memcmp(list, s, len))
			return true;
		list += word + (list[word] == ' ');
	}
	return false;
}

/* A prefix and a number from 0 to max, such as "x30". */
static bool
is_numbered(const char *prefix, unsigned max, const char *s, size_t len)
{
	size_t n = strlen(prefix);
	unsigned number = 0;

	if (len <= n || len > n + 2 || memcmp(s, prefix, n) != 0 || (s[n] == '0' && len > n + 1))
		return false;
	for (; n < len; n++) {
		if (!isdigit((unsigned char)s[n]))
			return false;
		number = number * 10 + (unsigned)(s[n] - '0');
	}
	return number <= max;
}

static bool
is_numbered_of(const char *prefixes, unsigned max, const char *s, size_t len)
{
	char prefix[2] = "";

	for (; *prefixes; prefixes++) {
		prefix[0] = *prefixes;
		if (is_numbered(prefix, max, s, len))
			return true;
	}
	return false;
}

static enum register_class
class_x86(const char *s, size_t len, bool is_64bit)
{
	static const char general[] = "eax ebx ecx edx esi edi ebp esp ax bx cx dx si di bp sp al bl cl dl";
	static const char general_64[] = "rax rbx rcx rdx rsi rdi rbp rsp sil dil bpl spl";

	if (is_among(general, s, len) || (is_64bit && is_among(general_64, s, len)))
		return REGISTER_OPEN;
	if (is_64bit) {
		size_t number = len && memchr("dwb", s[len - 1], 3) ? len - 1 : len;

		if (is_numbered("r", 15, s, number) && !is_numbered("r", 7, s, number))
			return REGISTER_OPEN;
		if (is_among("rip", s, len))
			return REGISTER_POINTER;
	}
	if (is_among("ah bh ch dh", s, len))
		return REGISTER_OPEN_NOT_BCC;
	if (is_numbered("xmm", 15, s, len))
		return REGISTER_CLOSED_ZERO;
	if (is_numbered("xmm", 31, s, len) || is_numbered("ymm", 31, s, len) ||
	    is_numbered("zmm", 31, s, len) || is_numbered("mm", 7, s, len) || is_numbered("k", 7, s, len) ||
	    is_among("st cs ds es fs gs ss", s, len))
		return REGISTER_CLOSED;
	return REGISTER_OTHER;
}

static enum register_class
class_aarch64(const char *s, size_t len)
{
	if (is_numbered("x", 30, s, len) || is_among("sp", s, len))
		return REGISTER_OPEN;
	if (is_numbered("w", 30, s, len) || is_among("xzr wzr wsp", s, len))
		return REGISTER_OPEN_NOT_BCC;
	return is_numbered_of("bhsdqv", 31, s, len) ? REGISTER_CLOSED : REGISTER_OTHER;
}

static enum register_class
class_arm(const char *s, size_t len)
{
	if (is_numbered("r", 15, s, len) || is_among("sp lr pc fp ip sl sb", s, len))
		return REGISTER_OPEN;
	return is_numbered_of("sdq", 31, s, len) ? REGISTER_CLOSED : REGISTER_OTHER;
}

static enum register_class
class_riscv(const char *s, size_t len)
{
	if (is_numbered("a", 7, s, len) || is_numbered("s", 11, s, len) || is_numbered("t", 6, s, len) ||
	    is_among("sp tp ra fp gp", s, len))
		return REGISTER_OPEN;
	if (is_among("zero", s, len) || is_numbered("x", 31, s, len))
		return REGISTER_OPEN_NOT_BCC;
	if (is_numbered("f", 31, s, len) || is_numbered("fa", 7, s, len) || is_numbered("fs", 11, s, len) ||
	    is_numbered("ft", 11, s, len) || is_numbered("v", 31, s, len))
		return REGISTER_CLOSED;
	return REGISTER_OTHER;
}

/* Without its '%'. A bare number is a register here. */
static enum register_class
class_ppc(const char *s, size_t len, bool has_percent)
{
	if (is_numbered("", 31, s, len) && !has_percent)
		return REGISTER_OPEN;
	if (is_numbered("r", 31, s, len))
		return has_percent ? REGISTER_OPEN : REGISTER_OPEN_NOT_BCC;
	if (is_numbered("f", 31, s, len) || is_numbered("v", 31, s, len) || is_numbered("vs", 63, s, len) ||
	    is_numbered("cr", 7, s, len) || is_among("lr ctr", s, len))
		return REGISTER_CLOSED;
	return REGISTER_OTHER;
}

static enum register_class
class_s390(const char *s, size_t len)
{
	if (is_numbered("r", 15, s, len))
		return REGISTER_OPEN;
	return is_numbered_of("fva", 31, s, len) ? REGISTER_CLOSED : REGISTER_OTHER;
}

static enum register_class
class_loongarch(const char *s, size_t len)
{
	if (is_numbered("r", 31, s, len))
		return REGISTER_OPEN;
	return is_numbered("f", 31, s, len) ? REGISTER_CLOSED : REGISTER_OTHER;
}

/* Takes a register, with the machine's prefix. */
static enum register_class
take_register(enum machine machine, const char **at, const char *end)
{
	bool has_percent = *at < end && **at == '%', has_dollar = *at < end && **at == '$';
	bool needs_percent = machine == MACHINE_X86_64 || machine == MACHINE_I386 || machine == MACHINE_S390;
	const char *name = *at + (has_percent || has_dollar), *after = name;

	while (after < end && isalnum((unsigned char)*after))
		after++;
	size_t len = (size_t)(after - name);
	if (!len || has_dollar != (machine == MACHINE_LOONGARCH) ||
	    (has_percent != needs_percent && !(has_percent && machine == MACHINE_PPC)))
		return REGISTER_OTHER;
	*at = after;
	switch (machine) {
	case MACHINE_X86_64:
	case MACHINE_I386:
		return class_x86(name, len, machine == MACHINE_X86_64);
	case MACHINE_AARCH64:
		return class_aarch64(name, len);
	case MACHINE_ARM:
		return class_arm(name, len);
	case MACHINE_RISCV:
		return class_riscv(name, len);
	case MACHINE_PPC:
		return class_ppc(name, len, has_percent);
	case MACHINE_S390:
		return class_s390(name, len);
	case MACHINE_LOONGARCH:
		return class_loongarch(name, len);
	case MACHINE_OTHER:
		break;
	}
	return REGISTER_OTHER;
}

static bool
take_number(const char **at, const char *end)
{
	const char *s = *at;
	bool is_hex;

	if (s < end && *s == '-')
		s++;
	is_hex = end - s > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	if (is_hex)
		s += 2;
	const char *digits = s;
	while (s < end && (is_hex ? isxdigit((unsigned char)*s) : isdigit((unsigned char)*s)))
		s++;
	if (s == digits)
		return false;
	*at = s;
	return true;
}

/* Names as libbcc accepts them; assemblers accept more. */
static bool
take_word(const char **at, const char *end)
{
	const char *s = *at;

	if (s == end || !(isalpha((unsigned char)*s) || *s == '_'))
		return false;
	while (s < end && (isalnum((unsigned char)*s) || *s == '_'))
		s++;
	*at = s;
	return true;
}

/* Whether the whole text fits. Registers that libbcc does not know change the form's bcc. */
static bool
fits(enum machine machine, const struct pattern *pattern, const char *text, const char *end,
     struct form *form)
{
	*form = (struct form){.kind = pattern->kind, .bcc = pattern->bcc};
	for (const char *p = pattern->text; *p; p++) {
		enum register_class class;

		switch (*p) {
		case 'U':
			if (text < end && *text == '-')
				return false;
			/* fall through */
		case 'N':
			if (!form->number)
				form->number = text;
			if (!take_number(&text, end))
				return false;
			break;
		case 'S':
		case 'W':
			if (!take_word(&text, end))
				return false;
			break;
		case 'r':
		case 'c':
		case 'P':
			class = take_register(machine, &text, end);
			if ((class == REGISTER_OPEN || class == REGISTER_OPEN_NOT_BCC) != (*p == 'r') ||
			    (class == REGISTER_POINTER) != (*p == 'P') || class == REGISTER_OTHER)
				return false;
			if (class == REGISTER_OPEN_NOT_BCC || class == REGISTER_CLOSED)
				form->bcc =
					machine == MACHINE_X86_64 ? OPERAND_BCC_STOPS : OPERAND_BCC_LEAVES;
			if (class == REGISTER_CLOSED_ZERO)
				form->bcc = OPERAND_BCC_ZERO;
			break;
		case ' ':
			while (text < end && *text == ' ')
				text++;
			break;
		default:
			if (text == end || *text++ != *p)
				return false;
		}
	}
	if (form->kind != FORM_CONSTANT)
		form->number = NULL;
	return text == end;
}

#define READS    OPERAND_BCC_READS
#define LEAVES   OPERAND_BCC_LEAVES
#define STOPS    OPERAND_BCC_STOPS
#define MISREADS OPERAND_BCC_MISREADS
#define REFUSES  OPERAND_BCC_REFUSES

static const struct pattern x86_patterns[] = {
	{"r", FORM_REGISTER, READS},        {"c", FORM_CLOSED, STOPS},       {"$N", FORM_CONSTANT, READS},
	{"N(r)", FORM_MEMORY, READS},       {"(r)", FORM_MEMORY, READS},     {"(r,r)", FORM_MEMORY, READS},
	{"(r,r,N)", FORM_MEMORY, READS},    {"N(r,r)", FORM_MEMORY, READS},  {"N(r,r,N)", FORM_MEMORY, READS},
	{"S(P)", FORM_SYMBOL, READS},       {"S+U(P)", FORM_SYMBOL, READS},  {"S-U(P)", FORM_SYMBOL, READS},
	{"N+S(P)", FORM_SYMBOL, READS},     {"S(r)", FORM_SYMBOL, REFUSES},  {"S(r,r)", FORM_SYMBOL, REFUSES},
	{"S(r,r,N)", FORM_SYMBOL, REFUSES}, {"N(P)", FORM_MEMORY, MISREADS}, {"N", FORM_MEMORY, STOPS},
	{"(,r,N)", FORM_MEMORY, STOPS},     {"N(,r,N)", FORM_MEMORY, STOPS}, {"S", FORM_SYMBOL, STOPS},
	{"S+U", FORM_SYMBOL, STOPS},        {"S@W(r)", FORM_SYMBOL, STOPS},  {NULL, FORM_UNKNOWN, STOPS},
};
static const struct pattern aarch64_patterns[] = {
	{"N", FORM_CONSTANT, READS},           {"#N", FORM_CONSTANT, LEAVES},
	{"r", FORM_REGISTER, READS},           {"c", FORM_CLOSED, LEAVES},
	{"[r]", FORM_MEMORY, READS},           {"[r, N]", FORM_MEMORY, READS},
	{"[r, r]", FORM_MEMORY, READS},        {"[r, #N]", FORM_MEMORY, LEAVES},
	{"[r, r, W]", FORM_MEMORY, LEAVES},    {"[r, r, W N]", FORM_MEMORY, LEAVES},
	{"[r, r, W #N]", FORM_MEMORY, LEAVES}, {NULL, FORM_UNKNOWN, LEAVES},
};
static const struct pattern arm_patterns[] = {
	{"#N", FORM_CONSTANT, READS},   {"N", FORM_CONSTANT, READS},     {"r", FORM_REGISTER, READS},
	{"c", FORM_CLOSED, READS},      {"[r]", FORM_MEMORY, READS},     {"[r, #N]", FORM_MEMORY, READS},
	{"[r, r]", FORM_MEMORY, READS}, {"[r, -r]", FORM_MEMORY, READS}, {"[r, r, W #N]", FORM_MEMORY, READS},
	{NULL, FORM_UNKNOWN, READS},
};
static const struct pattern riscv_patterns[] = {
	{"N", FORM_CONSTANT, READS},  {"r", FORM_REGISTER, READS},  {"c", FORM_CLOSED, LEAVES},
	{"N(r)", FORM_MEMORY, READS}, {"(r)", FORM_MEMORY, LEAVES}, {NULL, FORM_UNKNOWN, LEAVES},
};
/* In "r,r" libbcc multiplies the second register by the operand's width. */
static const struct pattern ppc_patterns[] = {
	{"iN", FORM_CONSTANT, READS}, {"r", FORM_REGISTER, READS},    {"c", FORM_CLOSED, LEAVES},
	{"N(r)", FORM_MEMORY, READS}, {"r,r", FORM_MEMORY, MISREADS}, {"N", FORM_CONSTANT, LEAVES},
	{NULL, FORM_UNKNOWN, LEAVES},
};
static const struct pattern s390_patterns[] = {
	{"N", FORM_CONSTANT, READS},  {"r", FORM_REGISTER, READS},    {"c", FORM_CLOSED, LEAVES},
	{"N(r)", FORM_MEMORY, READS}, {"N(r,r)", FORM_MEMORY, READS}, {"(r)", FORM_MEMORY, MISREADS},
	{NULL, FORM_UNKNOWN, LEAVES},
};
static const struct pattern loongarch_patterns[] = {
	{"N", FORM_CONSTANT, READS},    {"r", FORM_REGISTER, READS},   {"c", FORM_CLOSED, LEAVES},
	{"[r, N]", FORM_MEMORY, READS}, {"r, N", FORM_MEMORY, LEAVES}, {"r, r", FORM_MEMORY, LEAVES},
	{NULL, FORM_UNKNOWN, LEAVES},
};
static const struct pattern *const patterns[] = {
	[MACHINE_X86_64] = x86_patterns,      [MACHINE_I386] = x86_patterns,
	[MACHINE_AARCH64] = aarch64_patterns, [MACHINE_ARM] = arm_patterns,
	[MACHINE_RISCV] = riscv_patterns,     [MACHINE_PPC] = ppc_patterns,
	[MACHINE_S390] = s390_patterns,       [MACHINE_LOONGARCH] = loongarch_patterns,
};

struct form
form_of(enum machine machine, const char *text, size_t len)
{
	struct form form = {.kind = FORM_MEMORY};
	const struct pattern *pattern;

	if (machine == MACHINE_OTHER)
		return form;
	for (pattern = patterns[machine]; pattern->text; pattern++)
		if (fits(machine, pattern, text, text + len, &form))
			break;
	if (!pattern->text)
		form = (struct form){.kind = pattern->kind, .bcc = pattern->bcc};
	if (!machine_has_bcc(machine, true))
		form.bcc = OPERAND_BCC_READS;
	return form;
}

bool
machine_has_bcc(enum machine machine, bool is_64bit)
{
	return is_64bit && machine != MACHINE_I386 && machine != MACHINE_ARM && machine != MACHINE_OTHER;
}
