// The field: what a phone in one hand needs beyond the script of every page.
import "../styles/field.css";
