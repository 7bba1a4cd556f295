-- Attendance ends with the last sign of life, not when the loss was noticed or the conversation was taken back.
alter table seat add heard_at timestamptz;              -- of a seat whose line was lost: when it was last heard of
alter table assignment add attended_until timestamptz;  -- of one that its agent lost with his line
