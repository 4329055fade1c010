// SPDX-License-Identifier: BSD-2-Clause
#include "packet/reason.h"

#include <stddef.h>
static const struct {
	const char *stage;
	const char *name;
	const char *explanation;
} reasons[REASONS_MAX] = {
#define X(number, symbol, stage, name, explanation) [number] = { stage, name, explanation },
	SLUICE_REASONS(X)
#undef X
};

const char *reason_name(unsigned reason)
{
	return reason < REASONS_MAX ? reasons[reason].name : NULL;
}

const char *reason_stage(unsigned reason)
{
	return reason < REASONS_MAX ? reasons[reason].stage : NULL;
}

const char *reason_explanation(unsigned reason)
{
	return reason < REASONS_MAX ? reasons[reason].explanation : NULL;
}
