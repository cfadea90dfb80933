import theme from "vitepress/theme";
import "./lamp.css";

export default theme;
