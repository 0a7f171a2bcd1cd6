/*
 * wire.c - frames of messages, and the names of their types.
 */
#include "proto/wire.h"

#include "base/poison.h"

size_t wire_begin(struct buf *b, char type)
{
	size_t at = b->len;

	(void)buf_append_u8(b, (uint8_t)type);
	(void)buf_append_u32(b, 0);
	return at;
}

size_t wire_begin_untyped(struct buf *b)
{
	size_t at = b->len;

	(void)buf_append_u32(b, 0);
	return at;
}

static int end_at(struct buf *b, size_t start, size_t length_at)
{
	size_t length = b->len - length_at;

	if (b->bad || length > WIRE_LENGTH_MAX) {
		b->len = start;
		b->bad = true;
		return -1;
	}
	buf_put_u32_at(b, length_at, (uint32_t)length);
	return 0;
}

int wire_end(struct buf *b, size_t at)
{
	return end_at(b, at, at + 1);
}

int wire_end_untyped(struct buf *b, size_t at)
{
	return end_at(b, at, at);
}

static const char *const frontend_names[256] = {
	[FE_BIND] = "Bind",
	[FE_CLOSE] = "Close",
	[FE_COPY_DATA] = "CopyData",
	[FE_COPY_DONE] = "CopyDone",
	[FE_COPY_FAIL] = "CopyFail",
	[FE_DESCRIBE] = "Describe",
	[FE_EXECUTE] = "Execute",
	[FE_FLUSH] = "Flush",
	[FE_FUNCTION_CALL] = "FunctionCall",
	[FE_PARSE] = "Parse",
	[FE_PASSWORD] = "PasswordMessage",
	[FE_QUERY] = "Query",
	[FE_SYNC] = "Sync",
	[FE_TERMINATE] = "Terminate",
};

static const char *const backend_names[256] = {
	[BE_AUTHENTICATION] = "Authentication",
	[BE_BACKEND_KEY_DATA] = "BackendKeyData",
	[BE_BIND_COMPLETE] = "BindComplete",
	[BE_CLOSE_COMPLETE] = "CloseComplete",
	[BE_COMMAND_COMPLETE] = "CommandComplete",
	[BE_COPY_BOTH_RESPONSE] = "CopyBothResponse",
	[BE_COPY_DATA] = "CopyData",
	[BE_COPY_DONE] = "CopyDone",
	[BE_COPY_IN_RESPONSE] = "CopyInResponse",
	[BE_COPY_OUT_RESPONSE] = "CopyOutResponse",
	[BE_DATA_ROW] = "DataRow",
	[BE_EMPTY_QUERY_RESPONSE] = "EmptyQueryResponse",
	[BE_ERROR_RESPONSE] = "ErrorResponse",
	[BE_FUNCTION_CALL_RESPONSE] = "FunctionCallResponse",
	[BE_NEGOTIATE_PROTOCOL_VERSION] = "NegotiateProtocolVersion",
	[BE_NO_DATA] = "NoData",
	[BE_NOTICE_RESPONSE] = "NoticeResponse",
	[BE_NOTIFICATION_RESPONSE] = "NotificationResponse",
	[BE_PARAMETER_DESCRIPTION] = "ParameterDescription",
	[BE_PARAMETER_STATUS] = "ParameterStatus",
	[BE_PARSE_COMPLETE] = "ParseComplete",
	[BE_PORTAL_SUSPENDED] = "PortalSuspended",
	[BE_READY_FOR_QUERY] = "ReadyForQuery",
	[BE_ROW_DESCRIPTION] = "RowDescription",
};

bool wire_is_frontend(uint8_t type)
{
	return frontend_names[type] != NULL;
}

bool wire_is_backend(uint8_t type)
{
	return backend_names[type] != NULL;
}

const char *wire_frontend_name(uint8_t type)
{
	return frontend_names[type] ? frontend_names[type] : "unknown";
}

const char *wire_backend_name(uint8_t type)
{
	return backend_names[type] ? backend_names[type] : "unknown";
}
