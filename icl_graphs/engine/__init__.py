"""How a run goes: one pure function, spread over devices, batch after batch."""
