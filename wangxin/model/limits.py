"""Every bound of the product in one file. The name says the unit; the comment says what happens at the bound."""

from __future__ import annotations

# --- the wire -------------------------------------------------------------------------------------------------
FRAME_BYTES_MAX = 65_536  # larger: close 1009
FRAME_FRAGMENTS_MAX = 4_096  # more: close 1009
TEXT_CHARS_MAX = 4_000  # longer: error message.too_long
BODY_BYTES_MAX = 32_768  # a message body as JSON; larger: error message.too_large
JSON_DEPTH_MAX = 32  # deeper: error frame.too_deep
HELLO_MS_MAX = 10_000  # no valid hello by then: close 4408
PING_EVERY_MS = 15_000
PING_TIMEOUT_MS = 10_000  # no pong: the line is taken as dead and closed
CLOSE_TIMEOUT_MS = 3_000
FRAMES_PER_S_SHOPPER = 10  # sustained; above: error rate.exceeded with retry_after
FRAMES_PER_S_AGENT = 40
FRAMES_BURST = 40  # of one person over all his lines at a hub
LINES_ADDRESS = (20, 600)  # (a second for long, at once) new lines of one address at a hub; above: 429 rate.address
BAD_FRAMES_PER_MINUTE_MAX = 20  # more: close 1008
OUTBOX_BYTES_MAX = 262_144  # a reader further behind: close 4002, come back and resume
OUTBOX_STALLED_MS_MAX = 10_000  # or this long without reading
THREADS_PER_CONNECTION_MAX = 500
CONNECTIONS_PER_PERSON_MAX = 10  # the oldest is closed with 4005
HISTORY_PAGE_MAX = 200
RESUME_ENTRIES_MAX = 2_000  # further behind: snapshot of the newest page, the rest by history
APPEND_BATCH_MAX = 400  # lines in one commit
APPEND_WAITING_MAX = 20_000  # lines waiting for a commit; above: error hub.busy with retry_after
SHOP_WAITING_MAX = 10_000  # of them one shop's; above: error shop.busy, while other shops' lines are taken

# --- messages --------------------------------------------------------------------------------------------------
RECALL_MS_MAX = 120_000
IMAGE_BYTES_MAX = 10 * 1024 * 1024
IMAGE_PIXELS_MAX = 40_000_000
WEBP_PIXELS_MAX = 25_000_000  # its decoder needs twice the memory of the others
VIDEO_BYTES_MAX = 50 * 1024 * 1024
VIDEO_MS_MAX = 60_000
VOICE_BYTES_MAX = 4 * 1024 * 1024
VOICE_MS_MAX = 60_000
MEDIA_LINK_MS = 10 * 60_000
CHOICES_MAX = 13
FORM_FIELDS_MAX = 10

# --- people ----------------------------------------------------------------------------------------------------
TOKEN_MS_MAX = 3_600_000
LOGIN_TRIES_PER_MINUTE = 10  # of one login from one address; above: error login.too_often
LOGIN_TRIES_PER_MINUTE_LOGIN = 30  # of one login from anywhere
LOGIN_TRIES_PER_MINUTE_ADDRESS = 60  # from one address: a whole team may sit behind it
LOGINS_AT_ONCE = 2  # passwords checked side by side (64 MiB each); the others wait
GUESTS_PER_MINUTE_ADDRESS = 60  # new visitor tokens; above: error guest.too_often
GUESTS_PER_MINUTE_SHOP = 6_000  # of one shop, from wherever; above: error guest.too_often
SSO_MS_MAX = 600_000  # from the way to the issuer until its answer; later: error login.sso_state
SSO_CALL_S = 10  # for a call of the issuer; longer: error login.sso_away
SSO_ANSWER_BYTES_MAX = 262_144  # of its answer; more: error login.sso_away
SSO_KEPT_MS = 3_600_000  # what an issuer says of itself is believed so long
SSO_KEYS_AGAIN_MS = 60_000  # its keys are read again at most so often
API_KEYS_MAX = 20  # of a shop, revoked ones aside; above: error key.too_many
RETIRED_SECRETS_MAX = 3  # replaced signing secrets that still count; above: error secret.too_many
SECRET_OVERLAP_HOURS = 24  # so long a replaced signing secret counts beside the new one
WEBHOOKS_MAX = 10  # of a shop; above: error webhook.too_many
WEBHOOK_TIMEOUT_S = 15  # a server that has not answered by then has not taken the call
WEBHOOK_ATTEMPTS_KEPT = 10  # tries of a call in its log; older ones are forgotten
WEBHOOK_FAILING_DAYS_MAX = 5  # a webhook that no call has reached for longer is stopped
WEBHOOK_LOG_DAYS = 30  # calls that are done are kept so long
DEVICES_MAX = 5  # on which one agent is called, or one shopper of a shop; the oldest go
REPLIES_MAX = 1_000  # canned replies of one agent in a shop, of a shop, of a pool; above: error reply.too_many
WORD_RULES_MAX = 500  # words of a shop that are looked at before an agent sends
MEMBERS_MAX = 50  # merchants of one shop; above: error member.too_many
ORIGINS_MAX = 20  # pages that may embed a shop's window; above: error request.invalid
IMPORT_ROWS_MAX = 5_000  # products or members in one file; above: error <noun>.too_many
SHEET_CHARS_MAX = 1_000_000  # of a file's text
SHEET_ROWS_MAX = 20_000  # of a workbook's first sheet; above: error sheet.too_large
SHEET_COLUMNS_MAX = 40  # further columns are not read
SHEET_FILES_MAX = 1_000  # packed in a workbook; above: error sheet.too_large
SHEET_BYTES_MAX = 50 * 1024 * 1024  # of a workbook, unpacked; above: error sheet.too_large
PASSWORD_CHARS_MIN = 8
PASSWORD_CHARS_MAX = 200
NAME_CHARS_MAX = 60

MOMENT_MS_MAX = 4_102_444_800_000  # the year 2100: no moment is planned beyond it

# --- the bot and menus -----------------------------------------------------------------------------------------
BOT_READS_CHARS_MAX = 200
BOT_DEADLINE_MS = 1_000
MENU_DEPTH_MAX = 2  # levels of a menu; deeper: problem item.too_deep
MENU_DEPTH_MOST = 3  # where the shop sets it so
MENU_TOP_ITEMS_MAX = 6
MENU_CHILDREN_MAX = 10
MENU_LABEL_CHARS_MAX = 16
MENU_VARIANTS_MAX = 10  # menus for some shoppers beside the default one; above: error request.invalid
FAQ_ENTRIES_MAX = 50_000
GOLDEN_MAX = 500  # golden questions of a shop; above: error golden.full
LIBRARY_MAX = 200  # pictures and videos in a shop's library; above: error library.full
MENU_PLANS_MAX = 20  # menus of a shop that wait for their moment; above: error plan.too_many
SHOP_DATA_MS_MAX = 3_000  # a shop's server that takes longer: the shopper reads so, with a way to a person
SHOP_DATA_BYTES_MAX = 262_144  # a longer answer of a shop's server counts as none
SHOP_DATA_FAILURES_MAX = 3  # in a row; then the shop's server is left alone for a while
SHOP_DATA_REST_MS = 20_000
SHOP_DATA_AT_ONCE = 3  # calls of one shop that one worker has open; its further taps wait
LINKS_CHECKED_MAX = 20  # links of a menu that are really fetched when it is published; the others are not
LINK_CHECK_S = 4  # for one link

# --- dispatch --------------------------------------------------------------------------------------------------
WAITING_PER_SHOP_MAX = 5_000  # above: straight to the message box
SEATS_MAX_DEFAULT = 5
DISCONNECT_GRACE_MS = 20_000
LEASE_MS = 3_000
JOURNAL_DAYS = 7  # what the dispatcher was told and decided; older stretches are forgotten
JOURNAL_STRETCH_MS = 24 * 3_600_000  # the journal begins anew about so often, so that a replay has a near beginning
REPLAY_LINES_MAX = 200_000  # of the journal, decided again for a page; above: error replay.too_much
AGENTS_PER_FILE_MAX = 100  # each new one costs a password's hash
ROSTER_ROWS_MAX = 5_000
SPANS_PER_DAY_MAX = 6
SHIFT_LATE_MIN = 720  # a day's last shift ends by then of the next day
AGENTS_CSV_CHARS_MAX = 200_000
STUDY_REQUESTS_MAX = 40_000  # simulated requests of one study of a policy, over all its days and policies
STUDY_AGENTS_MAX = 200  # agents of one pool in a study
STUDY_S = 90  # a study that takes longer is given up

# --- push ------------------------------------------------------------------------------------------------------
AUDIENCE_DEPTH_MAX = 8  # three groups in one another, each turned round, on the page
AUDIENCE_NODES_MAX = 60
AUDIENCE_WORDS_MAX = 200  # words in one condition
TEMPLATE_CHARS_MAX = 4_000
TEMPLATE_OUTPUT_CHARS_MAX = 4_000  # longer: that recipient is recorded as render_error
PUSH_CHUNK = 500  # recipients in one transaction: their thread rows are locked by its last statement
PUSH_STEPS_MAX = 5
PUSH_VARIANTS_MAX = 6
PUSH_BLOCKS_MAX = 6
PUSH_PACED_S = 5  # seconds of a low rate in one chunk, so that pause, throttle and others' messages wait no longer
PUSH_EVERY_MS_MIN = 300_000  # a rule that recurs more often is refused
PUSH_HOLD_MS_MAX = 7 * 86_400_000  # held longer (quiet hours, open conversation): dropped, with the reason
PUSH_CHUNK_ATTEMPTS_MAX = 3  # a chunk that fails this often is halved until the poisonous recipient stands alone
RULES_PER_SHOP_MAX = 500
BENEFITS_PER_ORDER_MAX = 10  # that one order event may name; more are left aside
SHOP_EVENT_BYTES_MAX = 65_536  # a larger CloudEvent: event.too_large

# --- the web edge ----------------------------------------------------------------------------------------------
REQUEST_BYTES_MAX = 1_048_576  # larger (but for uploads): error request.too_large
REQUEST_HEAD_MS_MAX = 10_000  # of a new connection or a further request on it; slower: the connection is cut
REQUEST_BODY_MS_MAX = 300_000  # of a request; slower: the connection is cut
CONNECTIONS_PER_ADDRESS_MAX = 500  # of one address at a web process or a hub, trusted proxies aside; above: 429
BUCKETS_MAX = 50_000  # addresses or people whose pace a process remembers; the longest quiet are forgotten
REQUESTS_ADDRESS = (100, 2_000)  # (a second for long, at once) of one address at a web process; above: 429 rate.address
REQUESTS_SHOPPER = (5, 100)  # of one shopper; above: 429 rate.person
REQUESTS_STAFF = (20, 400)  # of one agent, merchant or provider; above: 429 rate.person
REQUESTS_SHOP = (200, 4_000)  # of one shop's own servers, over all its keys; above: 429 rate.shop
UPLOADS_PER_MINUTE = 30  # of one person; above: error media.too_often
UPLOADS_AT_ONCE = 4  # checked side by side in one web process; the others wait
IMAGE_SIDE_MAX = 12_000  # pixels of one side; above: error media.too_large
IMAGE_CHILD_MS_MAX = 20_000  # a picture that takes longer to re-encode: error media.broken
IMAGE_CHILD_BYTES_MAX = 640 * 1024 * 1024  # address space of the child that decodes a picture; above: media.too_large
VIDEO_CHILD_BYTES_MAX = 384 * 1024 * 1024  # of the child that reads a video of 50 MB; above: media.too_large
SHEET_CHILD_BYTES_MAX = 512 * 1024 * 1024  # of the child that reads a workbook; above: error sheet.too_large
SHEET_CHILD_MS_MAX = 30_000  # a workbook that takes longer: error sheet.broken
IMAGE_FRAMES_MAX = 200  # of an animated picture; above: error media.too_large
IMAGE_SIDE_KEPT = 4_096  # larger pictures are stored at this size
THUMB_SIDE = 480
VIDEO_BOXES_MAX = 20_000  # parts of a video file; above: error media.broken
VIDEO_LIST_BYTES_MAX = 1_048_576  # of one list of samples in it; above: error media.broken
VIDEO_CONVERT_MS_MAX = 180_000  # a conversion that takes longer is given up: the video stays as it came
VIDEO_CONVERT_BYTES_MAX = 2 * 1024 * 1024 * 1024  # address space of the program that converts
VIDEO_SIDE_KEPT = 1_280  # the longer side of a converted video
MEDIA_IDS_MAX = 100  # links asked for at once
TUNNEL_CONNECT_MS_MAX = 2_000  # a hub that does not take the line by then: the next one is tried
TUNNEL_HANDSHAKE_BYTES_MAX = 65_536
TUNNEL_HIGH_BYTES = 262_144  # waiting for the slower side; above: the faster side is no longer read
PAGE_MAX = 200

assert TEXT_CHARS_MAX * 4 <= BODY_BYTES_MAX <= FRAME_BYTES_MAX, "the longest text must fit its body, the body its frame"
assert PING_EVERY_MS + PING_TIMEOUT_MS + CLOSE_TIMEOUT_MS <= 30_000, "half-open lines are found within 30 s"
assert SHOP_WAITING_MAX < APPEND_WAITING_MAX, "one shop must not take all the room"
