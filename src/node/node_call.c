#include "node/node_internal.h"

#include "base/xmem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

void
node_close_rpc(struct node *node)
{
	rpc_free(node->rpc);
	node->rpc = NULL;
}

int
node_rpc_code(const struct node *node)
{
	return node->rpc_code;
}

const char *
node_rpc_message(const struct node *node)
{
	return node->rpc && node->rpc_code ? rpc_message(node->rpc) : "";
}

static int
call(struct node *node, struct deadline deadline, const char *wallet, struct json **result, struct diag *diag,
     const char *method, const char *params_fmt, va_list ap)
{
	char *params = params_fmt ? xvasprintf(params_fmt, ap) : xstrdup("[]");
	char *doing = xasprintf("call rpc '%s'", method);
	int err;

	if (result)
		*result = NULL;
	node->rpc_code = 0;
	if (!node_is_alive(node)) {
		err = node_fail_ended(node, doing, diag);
	} else if (!node->rpc) {
		err = diag_fail(diag, -ECONNREFUSED, "node: failed to %s: bitcoind is not ready", doing);
	} else {
		err = rpc_call(node->rpc, deadline, wallet, method, params, result, &node->rpc_code, diag);
		if ((err == -ECONNREFUSED || err == -ECONNRESET) && node_is_dying(node, deadline))
			err = node_fail_ended(node, doing, diag);
	}
	free(doing);
	free(params);
	return err;
}

int
node_call(struct node *node, struct deadline deadline, struct json **result, struct diag *diag,
	  const char *method, const char *params_fmt, ...)
{
	va_list ap;

	va_start(ap, params_fmt);
	int err = call(node, deadline, NULL, result, diag, method, params_fmt, ap);
	va_end(ap);
	return err;
}

int
node_wallet_call(struct node *node, struct deadline deadline, const char *wallet, struct json **result,
		 struct diag *diag, const char *method, const char *params_fmt, ...)
{
	va_list ap;

	va_start(ap, params_fmt);
	int err = call(node, deadline, wallet, result, diag, method, params_fmt, ap);
	va_end(ap);
	return err;
}
